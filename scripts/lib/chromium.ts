import { accessSync, constants } from 'node:fs';

/**
 * Where distributions and vendors put a Chromium that can be driven without a download, best first.
 * The test run starts one of these instead of a bundled browser, so that it needs nothing but the
 * system's own packages.
 */
const candidates: readonly string[] = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome-stable',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** The path of an installed Chromium, or `undefined` when this machine has none. */
export function findChromium(): string | undefined {
  return candidates.find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
