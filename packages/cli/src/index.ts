/** What other packages may use: the client, and the program. */
export { type Answer, Client, type ClientOptions, type Request } from './client/client.ts';
export {
  adminConnection,
  type ClientFile,
  type ConnectionFlags,
  dataFolder,
  publicConnection,
  readClientFile,
} from './client/connection.ts';
export { briefRetries, patientRetries, type RetryPolicy } from './client/retry.ts';
export type { Context, Sink } from './context.ts';
export { CliError, type CliErrorOptions } from './errors.ts';
export { type ExitCode, exitCodes } from './exit-codes.ts';
export { run } from './program.ts';
