/** The life of a server's process, from its configuration to its last answer. */
import { readServerConfig } from './config.ts';
import { type ServerOptions, startServer } from './server.ts';

/** How long what is under way may take once the supervisor is gone. */
const orphanMsMax = 10_000;

async function serve(options: ServerOptions): Promise<void> {
  const [file] = process.argv.slice(2);
  if (file === undefined) throw new Error('usage: server <config.json>');
  // Heard from the beginning: loading a long log takes a while, and an orphan must not go on with it.
  const stopping = stopRequested();
  const starting = startServer(
    readServerConfig(file),
    {
      onProgress: (progress) => process.stderr.write(`${JSON.stringify({ progress })}\n`),
      onDeath: (error) => fail(error),
    },
    options,
  );
  const server = await Promise.race([starting, stopping]);
  if (server === 'stop') return;
  process.stdout.write(`${JSON.stringify({ listening: server.urls })}\n`);
  await stopping;
  await server[Symbol.asyncDispose]();
}

/** A signal, or the end of the supervisor that started this process and holds its channel. */
function stopRequested(): Promise<'stop'> {
  return new Promise((resolve) => {
    const stop = (): void => resolve('stop');
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, stop);
    process.once('disconnect', () => {
      stop();
      // Nobody is left to end this process if it hangs.
      setTimeout(() => process.exit(1), orphanMsMax).unref();
    });
    // It may have ended before anybody listened. Where there is no supervisor this is undefined.
    if (process.connected === false) stop();
  });
}

function fail(error: unknown): never {
  process.stderr.write(`server: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

/** Ends the process. */
export function runServer(options: ServerOptions = {}): void {
  serve(options).then(() => process.exit(0), fail);
}
