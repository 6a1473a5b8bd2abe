/** A running witness follows its configuration file: logs and certificates come and go without a restart. */
import { unwatchFile, watchFile } from 'node:fs';
import { loadConfig } from './config.ts';
import { messageOf } from './errors.ts';
import type { Report, RunningCosigner } from './start-cosigner.ts';

/** Milliseconds between two looks at the file. */
const lookMs = 500;

/**
 * Reads the configuration again whenever its file or one of those for TLS changes, and on SIGHUP. What cannot be used is
 * reported, and the witness goes on as it was.
 */
export function followConfig(path: string, running: RunningCosigner, report: Report): Disposable {
  const files = [path, ...running.tlsFiles];
  let last = Promise.resolve();
  const read = (): void => {
    last = last.then(async () => {
      try {
        const changes = await running.reload(loadConfig(path, 'witness'));
        report({ event: 'reloaded', ...changes });
      } catch (error) {
        report({ event: 'not_reloaded', message: messageOf(error) });
      }
    });
  };
  process.on('SIGHUP', read);
  for (const file of files)
    watchFile(file, { interval: lookMs, persistent: false }, (now) => {
      // It is missing for the moment in which an editor replaces it.
      if (now.mtimeMs !== 0) read();
    });
  return {
    [Symbol.dispose](): void {
      process.off('SIGHUP', read);
      for (const file of files) unwatchFile(file);
    },
  };
}
