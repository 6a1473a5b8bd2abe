import { availableParallelism } from 'node:os';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig, type ViteUserConfig } from 'vitest/config';
import { findChromium } from './scripts/lib/chromium.ts';

const timeoutMs = 60_000;

/**
 * The browser is a test fixture that loads our own pages only: the sandbox is off because it cannot
 * start inside most containers, and everything that would reach for the network by itself is off too.
 */
const browserArguments = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const executablePath = findChromium();

/**
 * Files that want a process of their own: they mock Node's modules, open a token, trust the certificate of a test's issuer,
 * or run for long. All others share processes, and need not each load all that they stand on.
 */
const apart = [
  'test/**/*.test.ts',
  'packages/*/test/**/*.slow.test.ts',
  'packages/signer/test/**/*.test.ts',
  'packages/gate/test/login-*.test.ts',
];
const browserTests = '**/*.browser.test.ts';

const config: ViteUserConfig = defineConfig({
  test: {
    // Most tests wait for processes of their own and for time to pass: a worker less than cores, the default, leaves those idle.
    maxWorkers: Math.ceil(availableParallelism() * 1.5),
    projects: [
      {
        test: {
          name: 'node',
          environment: 'node',
          include: apart,
          exclude: ['**/node_modules/**'],
          setupFiles: ['scripts/lib/slow-tests.ts'],
          testTimeout: timeoutMs,
          hookTimeout: timeoutMs,
        },
      },
      {
        test: {
          name: 'shared',
          environment: 'node',
          include: ['{packages/*,bench}/test/**/*.test.ts'],
          exclude: ['**/node_modules/**', browserTests, ...apart],
          isolate: false,
          testTimeout: timeoutMs,
          hookTimeout: timeoutMs,
        },
      },
      {
        test: {
          name: 'browser',
          include: ['packages/{core,license,sdk}/test/**/*.{both,browser}.test.ts'],
          testTimeout: timeoutMs,
          hookTimeout: timeoutMs,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: {
                args: browserArguments,
                ...(executablePath === undefined ? {} : { executablePath }),
              },
            }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
    ],
  },
});

export default config;
