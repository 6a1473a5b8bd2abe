/** Schemas of logging in. */
import { z } from 'zod';
import type {
  EnrollmentBody,
  EnrollmentOffer,
  InvitationBody,
  LoggedIn,
  LoginBody,
  LoginDescription,
} from '../login-answers.ts';
import { boolean, instant, integer, matching, text } from './scalars.ts';
import { closed, open } from './shape.ts';

const SECONDS_MAX = 366 * 86_400;

const address: z.ZodType<string> = z.string().max(2048);
const id: z.ZodType<string> = z.string().max(64);
/** Bounds what is hashed; what a password must be is said where one is chosen. */
const password: z.ZodType<string> = z.string({ error: 'must be text' }).max(1024);
const code: z.ZodType<string> = matching(/^\d{6}$/, 'six digits');
const invitation: z.ZodType<string> = z.string({ error: 'must be text' }).max(128);

export const loginDescription: z.ZodType<LoginDescription> = open<LoginDescription>({
  issuer: address,
  clientId: id,
  page: address,
  devicePage: address,
  invitationPage: address,
  codesStepUp: boolean,
});

export const loginBody: z.ZodType<LoginBody> = closed<LoginBody>({ account: text, password, code });
export const invitationBody: z.ZodType<InvitationBody> = closed<InvitationBody>({ invitation });
export const enrollmentBody: z.ZodType<EnrollmentBody> = closed<EnrollmentBody>({
  invitation,
  password,
  code,
});

export const loggedIn: z.ZodType<LoggedIn> = open<LoggedIn>({
  token: z.string().max(128),
  session: id,
  principal: id,
  name: text,
  strength: integer(1, 3),
  steppedUpAt: instant.nullable(),
  expiresInSeconds: integer(0, SECONDS_MAX),
});

export const enrollmentOffer: z.ZodType<EnrollmentOffer> = open<EnrollmentOffer>({
  principal: id,
  name: text,
  account: text,
  secret: z.string().max(64),
  uri: address,
});
