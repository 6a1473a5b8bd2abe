/** `tally root sign`: one person reviews a proposal and puts a signature of each of their keys beside it. */
import { existsSync, readFileSync } from 'node:fs';
import { isSignedBy, keyIdOf } from '@tallystick/core';
import type { KeystoreKey } from '@tallystick/signer';
import type { Command } from 'commander';
import { progressOf, rootKeysOf } from '../../ceremony/collect.ts';
import { writeNewFile } from '../../ceremony/new-file.ts';
import { openKeys } from '../../ceremony/passphrase.ts';
import { payloadHash } from '../../ceremony/proposal.ts';
import { refusal } from '../../ceremony/refusal.ts';
import { type Review, reviewOf } from '../../ceremony/review.ts';
import { confirmationLength, describeReview } from '../../ceremony/review-text.ts';
import {
  checkSignature,
  formatSignature,
  messageOfProposal,
  parseSignature,
} from '../../ceremony/signature-file.ts';
import { sha256Text } from '../../ceremony/transcript.ts';
import type { Context } from '../../context.ts';
import { usageError } from '../../errors.ts';
import { Session } from '../../session.ts';
import {
  addTranscriptFlags,
  addTrustFlags,
  type OpenProposal,
  openProposal,
  placeOf,
  record,
  type TranscriptFlags,
  type TrustFlags,
} from './desk.ts';
import { signaturePrefix } from './show.ts';

interface SignFlags extends TrustFlags, TranscriptFlags {
  key: string;
  passphraseFile?: string;
  out?: string;
  yesIReviewed?: string;
}

export function registerSign(root: Command, context: Context): void {
  const command = addTranscriptFlags(
    addTrustFlags(
      root
        .command('sign')
        .summary('review a proposal and sign it with your key')
        .description(
          'Show what a proposal changes, ask for the first digits of its payload hash, and write your signature into a ' +
            'file beside it. Nothing is written over.',
        )
        .argument('<proposal>', 'file that tally root propose wrote')
        .requiredOption('--key <file>', 'your sealed key, or the description of one in a token or a service')
        .option(
          '--passphrase-file <file>',
          'read its passphrase, PIN or Vault token from a file of mode 0600 (default: ask for it)',
        )
        .option('--yes-i-reviewed <hash>', 'the whole payload hash that you reviewed, in place of typing')
        .option('--out <file>', 'where to write the signature (default: beside the proposal)'),
    ),
  );
  command.action(async (path: string) => {
    await sign(new Session(context, command), path, command.opts());
  });
}

async function sign(session: Session, path: string, flags: SignFlags): Promise<void> {
  const open = await openProposal(session, path, flags);
  const { current, next, proposal, holders } = open;
  const progress = progressOf(current, next, []);
  const review = reviewOf(current, next, { proposal, holders, progress, now: session.context.now() });
  await confirm(session, review, flags.yesIReviewed);
  await using opened = await openKeys(session.context, flags.key, flags.passphraseFile);
  const keys = choose(opened.keys, open, flags.key);
  if (keys.length > 1 && flags.out !== undefined) {
    throw usageError(
      `${flags.key} holds ${keys.length} root keys, and each makes a file of its own.`,
      'Leave --out away: the files are written beside the proposal.',
    );
  }
  const signed = await Promise.all(keys.map((key) => signatureOf(key, open, flags.out)));
  for (const { keyid, content, out } of signed) {
    writeNewFile(out, content);
    record(session, flags, {
      what: 'sign',
      rehearsal: proposal.rehearsal,
      facts: [
        ['version', next.version],
        ['payload', review.payloadHash],
        ['key', keyid],
        ['file', out],
        ['sha256', sha256Text(content)],
      ],
    });
  }
  const answer = { rehearsal: proposal.rehearsal, version: next.version, payloadHash: review.payloadHash };
  const signatures = signed.map(({ keyid, out }) => ({ key: keyid, path: out }));
  session.print.answer({ ...answer, signatures }, () => [
    ...signed.flatMap(({ keyid, out }) => [
      `Signed version ${next.version} with the key ${keyid}.`,
      `Wrote ${out}.`,
    ]),
    'Next: hand what was written to whoever runs tally root join.',
  ]);
}

/** Shows the review, and takes no yes that does not name the payload. */
async function confirm(session: Session, review: Review, reviewed: string | undefined): Promise<void> {
  const { context, print } = session;
  if (reviewed !== undefined) {
    if (reviewed.toLowerCase() === review.payloadHash) return;
    throw refusal(
      `The payload hash is ${review.payloadHash}, and not what you reviewed.`,
      'Nothing was signed. Find out what changed: look at it with tally root show.',
    );
  }
  for (const line of describeReview(review, print)) print.say(line);
  print.say('');
  const question = `Type the first ${confirmationLength} digits of the payload hash to sign it: `;
  const typed = await context.ask(question, { hidden: false });
  if (typed === null) {
    throw usageError(
      'Nobody has confirmed the review: there is no terminal to ask at.',
      'Run it in a terminal, or give the payload hash that you reviewed with --yes-i-reviewed.',
    );
  }
  if (typed.trim().toLowerCase() === review.payloadHash.slice(0, confirmationLength)) return;
  throw refusal('These are not the digits.', 'Nothing was signed. Read the payload hash again.');
}

/** The keys of the file whose signatures count for this proposal: one person's, and so one an algorithm. */
function choose(
  keys: readonly KeystoreKey[],
  { current, next, proposal }: OpenProposal,
  path: string,
): KeystoreKey[] {
  const ids = rootKeysOf(current, next).map(keyIdOf);
  const counting = keys.filter(({ keyid }) => ids.includes(keyid));
  const [key] = counting;
  if (key === undefined) {
    const held = keys.map(({ keyid }) => keyid).join(', ');
    throw refusal(
      `The key in ${path} (${held}) is a root key in neither version ${current.version} nor version ${next.version}.`,
      'Name the right file with --key, or ask for a proposal that adds your key.',
    );
  }
  if (new Set(counting.map(({ publicKey }) => publicKey.alg)).size < counting.length)
    throw refusal(
      `${path} holds several root keys of one algorithm.`,
      'Keep the keys of different people apart.',
    );
  const stranger = counting.find(
    ({ usages }) => !usages.includes('root') && !(proposal.rehearsal && usages.includes('rehearsal')),
  );
  if (stranger === undefined) return counting;
  throw refusal(
    `The key in ${path} was made for ${stranger.usages.join(' and ')}, and signs no real trust root.`,
    'Sign with a key that tally root key made without --rehearsal.',
  );
}

async function signatureOf(
  key: KeystoreKey,
  { path, next, proposal }: OpenProposal,
  given: string | undefined,
): Promise<{ keyid: string; content: string; out: string }> {
  const { rehearsal } = proposal;
  const name = `${signaturePrefix(path)}.${key.keyid}.signature.json`;
  const out = given ?? placeOf(path, rehearsal && !name.startsWith('REHEARSAL-'), name);
  const message = messageOfProposal(proposal);
  const sig = new Uint8Array(await key.sign(message));
  // A signature that came out wrong, by a fault of the machine, could betray the key.
  if (!(await isSignedBy(key.publicKey, message, sig)))
    throw refusal(
      'The signature that was just made does not hold.',
      'Use another machine: this one miscalculates.',
    );
  const hash = payloadHash(proposal);
  const made = { rehearsal, version: next.version, payloadHash: hash, key: key.publicKey, sig };
  const content = (await sameSignature(out, proposal, key)) ?? formatSignature(made);
  return { keyid: key.keyid, content, out };
}

/** What `out` holds, where that is a signature by this key on this proposal already: P-256 and ML-DSA never sign twice the same. */
async function sameSignature(
  out: string,
  proposal: OpenProposal['proposal'],
  key: KeystoreKey,
): Promise<string | null> {
  if (!existsSync(out)) return null;
  try {
    const text = readFileSync(out, 'utf8');
    await checkSignature(proposal, parseSignature(text, out), [key.publicKey], out);
    return text;
  } catch {
    // It is something else, over which nothing is written: that is said when it is tried.
    return null;
  }
}
