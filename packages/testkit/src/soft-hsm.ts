/** SoftHSM: a PKCS#11 token in software, for tests. Each has a folder of its own and can be taken away and put back. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const modules = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
];

/** Path of SoftHSM's module; null where it is not installed, or nothing can load it because npm had no compiler. */
export const softHsmModule: string | null = hasPkcs11()
  ? (modules.find((path) => existsSync(path)) ?? null)
  : null;

function hasPkcs11(): boolean {
  try {
    createRequire(import.meta.url)('pkcs11js');
    return true;
  } catch {
    return false;
  }
}

export class SoftHsm {
  readonly module: string;
  readonly label: string;
  readonly pin = '271828';
  readonly #tokens: string;

  private constructor(module: string, tokens: string, label: string) {
    this.module = module;
    this.#tokens = tokens;
    this.label = label;
  }

  /**
   * Makes a token in a folder, and makes it the one that this process and its children see. Throws where SoftHSM is
   * not installed: ask `softHsmModule` first.
   */
  static create(directory: string, label = 'tally'): SoftHsm {
    if (softHsmModule === null) throw new Error('SoftHSM is not installed');
    const tokens = join(directory, 'tokens');
    mkdirSync(tokens, { recursive: true });
    const config = join(directory, 'softhsm2.conf');
    writeFileSync(
      config,
      `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`,
    );
    process.env['SOFTHSM2_CONF'] = config;
    const token = new SoftHsm(softHsmModule, tokens, label);
    token.initToken(label);
    return token;
  }

  /** Makes one more token. */
  initToken(label: string): void {
    const given = ['--init-token', '--free', '--label', label, '--so-pin', '31415926', '--pin', this.pin];
    execFileSync('softhsm2-util', given, { stdio: 'pipe' });
  }

  takeAway(): void {
    renameSync(this.#tokens, `${this.#tokens}.away`);
    mkdirSync(this.#tokens);
  }

  putBack(): void {
    rmSync(this.#tokens, { recursive: true });
    renameSync(`${this.#tokens}.away`, this.#tokens);
  }
}
