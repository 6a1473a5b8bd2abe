import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below what systems give to outgoing connections: those would take a port between its choice and its use. */
const ports = { from: 20_000, to: 32_000 } as const;
/** Two processes that choose at once take from different ones of these, unless their ids are that far apart. */
const portsPerProcess = 100;
const triesMax = 100;
/** Those that this process chose last: who asked may not listen yet. */
const chosen = new Set<number>();
const chosenMax = 1000;

/** A TCP port of this host that nobody listens on, and that was not chosen here a moment ago. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < triesMax; tries++) {
    const port = tries < triesMax / 2 ? ownPort() : randomInt(ports.from, ports.to);
    if (chosen.has(port)) continue;
    if (chosen.size >= chosenMax) chosen.clear();
    // Before it is tried: somebody else here may choose while that goes on.
    chosen.add(port);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port between ${ports.from} and ${ports.to}`);
}

function ownPort(): number {
  const shares = (ports.to - ports.from) / portsPerProcess;
  const from = ports.from + (process.pid % shares) * portsPerProcess;
  return randomInt(from, from + portsPerProcess);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
