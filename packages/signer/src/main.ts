/**
 * The signer's process: `node main.ts <config.json>`.
 *
 * Config: {"socket","keystore","passphraseFile","mark","origin","trustRoot"}, and {"token":{"description","pinFile"}} where the log
 * key is in a PKCS#11 token. Prints one JSON line when it listens; alarms are JSON lines on stderr. SIGHUP opens the keystore anew.
 */
import { readFileSync } from 'node:fs';
import { parseTrustRootFile, verifyTrustChain } from '@tallystick/core';
import { Governance } from './governance.ts';
import { PinRefused, pinRefusedExitCode } from './keystore/keystore-error.ts';
import type { KeystoreKey } from './keystore/keystore-key.ts';
import { readPassphraseFile, readPinFile } from './keystore/passphrase-file.ts';
import { Pkcs11Keystore } from './keystore/pkcs11-keystore.ts';
import { openSealedKeystore } from './keystore/sealed-file.ts';
import { readTokenDescription } from './keystore/token-description.ts';
import { Mark } from './mark.ts';
import { Signer } from './signer.ts';
import { listen } from './socket-server.ts';

interface SignerConfig {
  socket: string;
  keystore: string;
  passphraseFile: string;
  mark: string;
  origin: string;
  /** File of the trust root: it names the authorities that the namespaces are taken from. */
  trustRoot: string;
  token?: { description: string; pinFile: string };
}

async function main(): Promise<void> {
  const [file] = process.argv.slice(2);
  if (file === undefined) throw new Error('usage: signer <config.json>');
  const config = JSON.parse(readFileSync(file, 'utf8')) as SignerConfig;
  const passphrase = readPassphraseFile(config.passphraseFile);
  using mark = Mark.open(config.mark, config.origin);
  const sealed = openSealedKeystore(config.keystore, passphrase);
  await using token = await openToken(config.token);
  const versions = await verifyTrustChain(parseTrustRootFile(readFileSync(config.trustRoot, 'utf8')));
  const governance = new Governance(mark, versions.at(-1)?.namespaces ?? new Map());
  const withToken = (keys: readonly KeystoreKey[]): KeystoreKey[] => [...keys, ...(token?.keys ?? [])];
  const signer = new Signer(withToken(sealed), mark, governance, () => Date.now());
  process.on('SIGHUP', () => reload(signer, config, withToken));
  const server = await listen(signer, config.socket, (alarm) => {
    process.stderr.write(
      `${JSON.stringify({ alarm: 'signer_refused', ...alarm, at: new Date().toISOString() })}\n`,
    );
  });
  process.stdout.write(`${JSON.stringify({ listening: config.socket })}\n`);
  await stopRequested();
  server.close();
}

/** Keys may have been added. Where they cannot be read, the signer goes on with those that it has. */
function reload(
  signer: Signer,
  config: SignerConfig,
  withToken: (keys: readonly KeystoreKey[]) => KeystoreKey[],
): void {
  try {
    const sealed = openSealedKeystore(config.keystore, readPassphraseFile(config.passphraseFile));
    signer.replaceKeys(withToken(sealed));
    process.stderr.write(`${JSON.stringify({ reloaded: config.keystore, keys: sealed.length })}\n`);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
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

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`signer: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(error instanceof PinRefused ? pinRefusedExitCode : 1);
  },
);
