/**
 * The signer's process: `node main.ts <config.json>`.
 *
 * Config: {"socket","keystore","passphraseFile","mark","journal","origin","trustRoot"},
 * {"token":{"description","pinFile"}} where the log key is in a PKCS#11 token, and "socketFor":"group" where the server
 * runs as another user of the signer's group. Starts only in a cell: see cell/launch.ts. Prints one JSON line when it
 * listens; alarms are JSON lines on stderr. SIGHUP opens the keystore anew.
 */
import { readFileSync } from 'node:fs';
import { parseTrustRootFile, verifyTrustChain } from '@tallystick/core';
import { closeCell } from './cell/close-cell.ts';
import { type CellFiles, demandOwnFiles, demandReopenedFiles } from './cell/files.ts';
import { demandCell } from './cell/runtime.ts';
import { Governance } from './governance.ts';
import { Journal } from './journal/journal.ts';
import { PinRefused, pinRefusedExitCode } from './keystore/keystore-error.ts';
import type { KeystoreKey } from './keystore/keystore-key.ts';
import { readPassphraseFile, readPinFile } from './keystore/passphrase-file.ts';
import { Pkcs11Keystore } from './keystore/pkcs11-keystore.ts';
import { openSealedKeystore } from './keystore/sealed-file.ts';
import { readTokenDescription } from './keystore/token-description.ts';
import { Mark } from './mark.ts';
import { Signer } from './signer.ts';
import { listen, type ReportAlarm } from './socket-server.ts';

interface SignerConfig extends CellFiles {
  origin: string;
}

async function main(): Promise<void> {
  const [file] = process.argv.slice(2);
  if (file === undefined) throw new Error('usage: signer <config.json>');
  const config = JSON.parse(readFileSync(file, 'utf8')) as SignerConfig;
  if (config.journal === undefined)
    throw new Error(`${file} names no journal: add "journal", the path of a file beside the mark`);
  demandCell({ withToken: config.token !== undefined });
  demandOwnFiles(file, config);
  const passphrase = readPassphraseFile(config.passphraseFile);
  using mark = Mark.open(config.mark, config.origin);
  const sealed = openSealedKeystore(config.keystore, passphrase);
  await using journal = Journal.open(config.journal, mark, () => Date.now());
  const versions = await verifyTrustChain(parseTrustRootFile(readFileSync(config.trustRoot, 'utf8')));
  const governance = new Governance(mark, versions.at(-1)?.namespaces ?? new Map<string, never>());
  await using token = await openToken(config.token);
  const withToken = (keys: readonly KeystoreKey[]): KeystoreKey[] => [...keys, ...(token?.keys ?? [])];
  const signer = new Signer(withToken(sealed), { mark, governance, journal }, () => Date.now());
  process.on('SIGHUP', () => reload(signer, config, withToken));
  const alarmLine: ReportAlarm = (alarm) => {
    journal.refused(alarm);
    process.stderr.write(
      `${JSON.stringify({ alarm: 'signer_refused', ...alarm, at: new Date().toISOString() })}\n`,
    );
  };
  if (journal.lost !== null) alarmLine(lostJournal(config.journal, journal.lost));
  const server = await listen(signer, config.socket, alarmLine, config.socketFor);
  closeCell(config);
  process.stdout.write(`${JSON.stringify({ listening: config.socket })}\n`);
  await stopRequested();
  server.close();
}

function lostJournal(file: string, lines: number): Parameters<ReportAlarm>[0] {
  const message = `the journal ${file} was missing, and the mark remembers ${lines} lines of it: find it`;
  return { reason: 'journal_lost', message, op: 'start' };
}

/** Keys may have been added. Where they cannot be read, the signer goes on with those that it has. */
function reload(
  signer: Signer,
  config: SignerConfig,
  withToken: (keys: readonly KeystoreKey[]) => KeystoreKey[],
): void {
  try {
    demandReopenedFiles(config);
    const sealed = openSealedKeystore(config.keystore, readPassphraseFile(config.passphraseFile));
    signer.replaceKeys(withToken(sealed));
    process.stderr.write(`${JSON.stringify({ reloaded: config.keystore, keys: sealed.length })}\n`);
  } catch (error) {
    const message = messageOf(error);
    const line = { alarm: 'keystore_not_reloaded', message, at: new Date().toISOString() };
    process.stderr.write(`${JSON.stringify(line)}\n`);
  }
}

/** Looked at last, because a wrong PIN counts: whatever else is wrong is found before. */
async function openToken(config: SignerConfig['token']): Promise<Pkcs11Keystore | null> {
  if (config === undefined) return null;
  const pin = readPinFile(config.pinFile);
  return Pkcs11Keystore.open(readTokenDescription(config.description), pin);
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
