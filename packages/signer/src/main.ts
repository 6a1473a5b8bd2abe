/**
 * The signer's process: `node main.ts <config.json>`.
 *
 * Config: {"socket","keystore","passphraseFile","mark","journal","origin","trustRoot"}, {"access":{"origin","mark"}} where it
 * signs the access log as well,
 * {"token":{"description","pinFile"}} where the log key is in a PKCS#11 token, {"cloud":{"description","credentialFiles"}}
 * where it is in a service (for Vault the one file is its token's), and "socketFor":"group" with "socketUsers":["name"]
 * where the server runs as another user of the signer's group. Starts only in a cell: see cell/launch.ts. Prints one JSON line when it listens;
 * alarms are JSON lines on stderr. SIGHUP opens the keystore anew.
 */
import { readFileSync } from 'node:fs';
import { parseTrustRootFile, verifyTrustChain } from '@tallystick/core';
import { closeCell } from './cell/close-cell.ts';
import { type CellFiles, demandOwnFiles, demandReopenedFiles } from './cell/files.ts';
import { demandCell } from './cell/runtime.ts';
import { Governance } from './governance.ts';
import { Journal } from './journal/journal.ts';
import { readCloudDescription } from './keystore/cloud-description.ts';
import { CloudKeystore } from './keystore/cloud-keystore.ts';
import { collectGarbage } from './keystore/collect-garbage.ts';
import { PinRefused, pinRefusedExitCode } from './keystore/keystore-error.ts';
import type { KeystoreKey } from './keystore/keystore-key.ts';
import { readPassphraseFile, readPinFile, readVaultTokenFile } from './keystore/passphrase-file.ts';
import { Pkcs11Keystore } from './keystore/pkcs11-keystore.ts';
import { openWithDestroyed } from './keystore/sealed-file.ts';
import { readTokenDescription } from './keystore/token-description.ts';
import { Mark } from './mark.ts';
import { servedUsers } from './peer/served-users.ts';
import { Signer } from './signer.ts';
import { listen, type ReportAlarm } from './socket-server.ts';
import { WitnessWatch } from './witness-watch.ts';

interface SignerConfig extends CellFiles {
  origin: string;
  /** Signers on other machines hold the keys of this log as well. */
  shared?: boolean;
}

async function main(): Promise<void> {
  const [file] = process.argv.slice(2);
  if (file === undefined) throw new Error('usage: signer <config.json>');
  const config = JSON.parse(readFileSync(file, 'utf8')) as SignerConfig;
  if (config.journal === undefined)
    throw new Error(`${file} names no journal: add "journal", the path of a file beside the mark`);
  demandCell({ withToken: config.token !== undefined });
  demandOwnFiles(file, config);
  const peers = { audience: config.socketFor ?? 'owner', users: servedUsers(config) };
  using mark = Mark.open(config.mark, config.origin);
  using accessMark = openAccessMark(config);
  await using journal = Journal.open(config.journal, mark, () => Date.now());
  await using token = await openToken(config.token);
  using cloud = await openCloud(config.cloud);
  const held = [...(token?.keys ?? []), ...(cloud?.keys ?? [])];
  const signer = await openSigner(config, { mark, accessMark, journal }, held);
  process.on('SIGHUP', () => reload(signer, config, held));
  const alarmLine: ReportAlarm = (refusal) => {
    journal.refused(refusal);
    printAlarm('signer_refused', refusal);
  };
  if (journal.lost !== null) alarmLine(lostJournal(config.journal, journal.lost));
  const server = await listen(signer, config.socket, alarmLine, peers);
  closeCell(config);
  process.stdout.write(`${JSON.stringify({ listening: config.socket })}\n`);
  await stopRequested();
  server.close();
}

function openAccessMark({ origin, access }: SignerConfig): Mark | null {
  if (access === undefined) return null;
  // The attestation that names its key is of the log that it belongs to, and says no more of its name than that.
  if (access.origin !== `${origin}/access` && !access.origin.startsWith(`${origin}/access/`))
    throw new Error(
      `access.origin: the access log of ${origin} is ${origin}/access, or begins like that with a slash`,
    );
  return Mark.open(access.mark, access.origin);
}

function lostJournal(file: string, lines: number): Parameters<ReportAlarm>[0] {
  const message = `the journal ${file} was missing, and the mark remembers ${lines} lines of it: find it`;
  return { reason: 'journal_lost', message, op: 'start' };
}

/** The keys are the signer's alone when this returns: what else referred to one would keep it in memory once it is destroyed. */
async function openSigner(
  config: SignerConfig,
  { mark, accessMark, journal }: { mark: Mark; accessMark: Mark | null; journal: Journal },
  held: readonly KeystoreKey[],
): Promise<Signer> {
  const sealed = openWithDestroyed(config.keystore, readPassphraseFile(config.passphraseFile));
  const versions = await verifyTrustChain(parseTrustRootFile(readFileSync(config.trustRoot, 'utf8')));
  const governance = new Governance(mark, versions);
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  const witnesses = new WitnessWatch(
    () => governance.versions,
    mark,
    clock,
    (message) => printAlarm('clock_differs', { message }),
  );
  const access = accessMark === null ? {} : { access: { mark: accessMark, governance, journal, clock } };
  const memory = { mark, governance, witnesses, journal, ...access };
  return new Signer([...sealed.keys, ...held], memory, clock.now, {
    destroyed: sealed.destroyed,
    onReturned: reportReturned,
    isShared: config.shared === true,
  });
}

/** A keystore from a backup may hold a key again that was destroyed. */
function reportReturned(keyids: readonly string[]): void {
  const message = `the keystore holds keys that were destroyed: ${keyids.join(', ')}. They are not used; run tally keys destroy again`;
  printAlarm('destroyed_key_returned', { message });
}

/** Keys may have come or gone. Where they cannot be read, the signer goes on with those that it has. */
function reload(signer: Signer, config: SignerConfig, held: readonly KeystoreKey[]): void {
  try {
    demandReopenedFiles(config);
    const sealed = openWithDestroyed(config.keystore, readPassphraseFile(config.passphraseFile));
    signer.replaceKeys([...sealed.keys, ...held], sealed.destroyed);
    const line = { reloaded: config.keystore, keys: sealed.keys.length };
    // Once this turn has ended, so that nothing on its stack refers to the former keys.
    setImmediate(() => {
      collectGarbage();
      process.stderr.write(`${JSON.stringify(line)}\n`);
    });
  } catch (error) {
    printAlarm('keystore_not_reloaded', { message: messageOf(error) });
  }
}

function printAlarm(alarm: string, about: object): void {
  process.stderr.write(`${JSON.stringify({ alarm, ...about, at: new Date().toISOString() })}\n`);
}

/** Looked at last, because a wrong PIN counts: whatever else is wrong is found before. */
async function openToken(config: SignerConfig['token']): Promise<Pkcs11Keystore | null> {
  if (config === undefined) return null;
  const pin = readPinFile(config.pinFile);
  return Pkcs11Keystore.open(readTokenDescription(config.description), pin);
}

/** Says on standard error what the cell lacks then. */
async function openCloud(config: SignerConfig['cloud']): Promise<CloudKeystore | null> {
  if (config === undefined) return null;
  const [tokenFile] = config.credentialFiles;
  const vaultToken = tokenFile === undefined ? null : () => readVaultTokenFile(tokenFile);
  const cloud = await CloudKeystore.open(readCloudDescription(config.description), { vaultToken });
  const message = `the log key is in ${cloud.name}, so that this process keeps the network: bind it from outside`;
  process.stderr.write(`${JSON.stringify({ notice: 'network_open', message })}\n`);
  return cloud;
}

/** A signal, or the end of the supervisor that started this process and holds its channel. */
function stopRequested(): Promise<void> {
  return new Promise((resolve) => {
    process.once('disconnect', () => resolve());
    process.once('SIGTERM', () => resolve());
    process.once('SIGINT', () => resolve());
    // It may have ended before anybody listened. Where there is no supervisor this is undefined.
    if (process.connected === false) resolve();
  });
}

/** What the walls of the cell deny is named: their own message does not. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const denied = [error, error.cause].find(
    (each) => (each as { permission?: string })?.permission !== undefined,
  );
  const { permission, resource } = (denied ?? {}) as { permission?: string; resource?: string };
  return permission === undefined ? error.message : `its cell denies ${permission} of ${resource}`;
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`signer: ${messageOf(error)}\n`);
    process.exit(error instanceof PinRefused ? pinRefusedExitCode : 1);
  },
);
