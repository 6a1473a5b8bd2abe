/**
 * The signer's process: `node main.ts <config.json>`.
 *
 * Config: {"socket","keystore","passphraseFile","mark","origin","trustRoot"}, {"token":{"description","pinFile"}} where
 * the log key is in a PKCS#11 token, and "socketFor":"group" where the server runs as another user of the signer's group.
 * Starts only in a cell: see cell/launch.ts. Prints one JSON line when it listens; alarms are JSON lines on stderr. SIGHUP
 * opens the keystore anew.
 */
import { readFileSync } from 'node:fs';
import { parseTrustRootFile, verifyTrustChain } from '@tallystick/core';
import { closeCell } from './cell/close-cell.ts';
import { type CellFiles, demandOwnFiles, demandReopenedFiles } from './cell/files.ts';
import { demandCell } from './cell/runtime.ts';
import { Governance } from './governance.ts';
import { collectGarbage } from './keystore/collect-garbage.ts';
import { PinRefused, pinRefusedExitCode } from './keystore/keystore-error.ts';
import { readPassphraseFile, readPinFile } from './keystore/passphrase-file.ts';
import { Pkcs11Keystore } from './keystore/pkcs11-keystore.ts';
import { openWithDestroyed } from './keystore/sealed-file.ts';
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
  demandCell({ withToken: config.token !== undefined });
  demandOwnFiles(file, config);
  using mark = Mark.open(config.mark, config.origin);
  const { signer, token } = await openSigner(config, mark);
  await using _token = token;
  reportReturned(signer);
  process.on('SIGHUP', () => reload(signer, config, token));
  const alarmLine: ReportAlarm = (alarm) => {
    process.stderr.write(
      `${JSON.stringify({ alarm: 'signer_refused', ...alarm, at: new Date().toISOString() })}\n`,
    );
  };
  const server = await listen(signer, config.socket, alarmLine, config.socketFor);
  closeCell(config);
  process.stdout.write(`${JSON.stringify({ listening: config.socket })}\n`);
  await stopRequested();
  server.close();
}

/** The keys are the signer's alone when this returns: what else referred to one would keep it in memory once it is destroyed. */
async function openSigner(
  config: SignerConfig,
  mark: Mark,
): Promise<{ signer: Signer; token: Pkcs11Keystore | null }> {
  const sealed = openWithDestroyed(config.keystore, readPassphraseFile(config.passphraseFile));
  const versions = await verifyTrustChain(parseTrustRootFile(readFileSync(config.trustRoot, 'utf8')));
  const governance = new Governance(mark, versions.at(-1)?.namespaces ?? new Map<string, never>());
  const token = await openToken(config.token);
  const keys = [...sealed.keys, ...(token?.keys ?? [])];
  return { signer: new Signer(keys, mark, governance, () => Date.now(), sealed.destroyed), token };
}

/** A keystore from a backup may hold a key again that was destroyed. */
function reportReturned({ returnedKeys }: Signer): void {
  if (returnedKeys.length === 0) return;
  const message = `the keystore holds keys that were destroyed: ${returnedKeys.join(', ')}. They are not used; run tally keys destroy again`;
  const line = { alarm: 'destroyed_key_returned', message, at: new Date().toISOString() };
  process.stderr.write(`${JSON.stringify(line)}\n`);
}

/** Keys may have come or gone. Where they cannot be read, the signer goes on with those that it has. */
function reload(signer: Signer, config: SignerConfig, token: Pkcs11Keystore | null): void {
  try {
    demandReopenedFiles(config);
    const sealed = openWithDestroyed(config.keystore, readPassphraseFile(config.passphraseFile));
    signer.replaceKeys([...sealed.keys, ...(token?.keys ?? [])], sealed.destroyed);
    reportReturned(signer);
    const line = { reloaded: config.keystore, keys: sealed.keys.length };
    // Once this turn has ended, so that nothing on its stack refers to the former keys.
    setImmediate(() => {
      collectGarbage();
      process.stderr.write(`${JSON.stringify(line)}\n`);
    });
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
