/** Schemas of license files and of what clients pin. */
import { bundleLimits } from '@tallystick/core';
import { z } from 'zod';
import type {
  AccessIdentity,
  BundleJson,
  CurrentTrust,
  EnvelopeJson,
  KeyList,
  PublicKeyJson,
  RecoveryDraft,
  RecoveryResult,
} from '../answers.ts';
import { keyAlgorithms } from '../documents.ts';
import { documents } from './documents.ts';
import { base64, boolean, hash, instant, natural } from './scalars.ts';
import { closed, kept, oneOf, open } from './shape.ts';

const PATH_MAX = 63;
const SIGNATURES_MAX = 64;

/** Lists what is in force and what will be: a thousand is far beyond any namespace. */
const KEYS_LISTED_MAX = 1_000;

export const publicKey: z.ZodType<PublicKeyJson> = closed<PublicKeyJson>({
  alg: oneOf(keyAlgorithms),
  key: base64,
});

const bundledSubject: z.ZodType<BundleJson['subjects'][number]> = closed<BundleJson['subjects'][number]>({
  id: z.string().max(64),
  document: base64.nullable(),
  salt: hash.nullable(),
  index: natural.nullable(),
  entry: base64.nullable(),
  path: z.array(hash).max(PATH_MAX),
  map: base64,
});

/** The shape alone: whether a bundle proves anything is for a verifier to say. */
export const bundle: z.ZodType<BundleJson> = closed<BundleJson>({
  v: z.literal(1),
  trust: z
    .array(closed<BundleJson['trust'][number]>({ envelope: base64, proof: z.string() }))
    .max(bundleLimits.trustSteps),
  anchor: closed<BundleJson['anchor']>({ entry: z.string(), proof: z.string() }),
  keys: z.array(publicKey).max(bundleLimits.keys),
  subjects: z.array(bundledSubject).max(bundleLimits.subjects),
});

/** The payload is a trust root; its bytes count, so it is passed on as it is. */
export const envelope: z.ZodType<EnvelopeJson> = closed<EnvelopeJson>({
  payload: base64,
  payloadType: z.string().max(100),
  signatures: z
    .array(closed<EnvelopeJson['signatures'][number]>({ keyid: z.string().max(64), sig: base64 }))
    .max(SIGNATURES_MAX),
});

export const accessIdentity: z.ZodType<AccessIdentity> = open<AccessIdentity>({
  origin: z.string().max(512),
  identity: base64,
});

export const currentTrust: z.ZodType<CurrentTrust> = open<CurrentTrust>({
  namespace: kept<CurrentTrust['namespace']>({ index: natural, document: documents.namespace }),
  brake: kept<CurrentTrust['brake']>({ index: natural, document: documents.brake }),
});

export const recoveryDraft: z.ZodType<RecoveryDraft> = open<RecoveryDraft>({
  entry: base64,
  document: z.string(),
});

export const recoveryResult: z.ZodType<RecoveryResult> = open<RecoveryResult>({
  dryRun: boolean,
  namespace: natural.nullable(),
  principal: z.string().max(64).nullable(),
  credential: z.string().max(64).nullable(),
  until: instant,
});

export const keyList: z.ZodType<KeyList> = open<KeyList>({ keys: z.array(publicKey).max(KEYS_LISTED_MAX) });
