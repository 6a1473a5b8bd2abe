/**
 * The signer's process: `node main.ts <config.json>`.
 *
 * Config: {"socket","keystore","passphraseFile","mark","origin"}, and "socketFor":"group" where the server runs as
 * another user of the signer's group. Starts only in a cell: see cell/launch.ts. Prints one JSON line when it
 * listens; alarms are JSON lines on stderr.
 */
import { readFileSync } from 'node:fs';
import { closeCell } from './cell/close-cell.ts';
import { type CellFiles, demandOwnFiles } from './cell/files.ts';
import { demandCell } from './cell/runtime.ts';
import { readPassphraseFile } from './keystore/passphrase-file.ts';
import { openSealedKeystore } from './keystore/sealed-file.ts';
import { Mark } from './mark.ts';
import { Signer } from './signer.ts';
import { listen, type ReportAlarm } from './socket-server.ts';

interface SignerConfig extends CellFiles {
  origin: string;
}

async function main(): Promise<void> {
  const [file] = process.argv.slice(2);
  if (file === undefined) throw new Error('usage: signer <config.json>');
  demandCell();
  const config = JSON.parse(readFileSync(file, 'utf8')) as SignerConfig;
  demandOwnFiles(file, config);
  const passphrase = readPassphraseFile(config.passphraseFile);
  using mark = Mark.open(config.mark, config.origin);
  const signer = new Signer(openSealedKeystore(config.keystore, passphrase), mark, () => Date.now());
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
  const { permission, resource } = error as { permission?: string; resource?: string };
  return permission === undefined ? error.message : `its cell denies ${permission} of ${resource}`;
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`signer: ${messageOf(error)}\n`);
    process.exit(1);
  },
);
