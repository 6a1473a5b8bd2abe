/** `tally` as an operator runs it, beside a system or on its files. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { RealSystem } from './real-system.ts';

const main = fileURLToPath(new URL('../../../packages/cli/src/main.ts', import.meta.url));

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs it in the system's scratch folder, on its data. */
export function tally(system: RealSystem, ...args: string[]): Promise<Ended> {
  const env = { ...process.env, TALLY_DATA: system.layout.root };
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { cwd: system.directory, env }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
  });
}
