/** Files that AWS credentials may come from in the SDK's default chain. */
import { homedir } from 'node:os';
import { join } from 'node:path';

/** By the variables that the SDK heeds; they need not be there. Programs that print credentials are not among them. */
export function awsCredentialFiles(environment: NodeJS.ProcessEnv): string[] {
  const folder = join(homedir(), '.aws');
  return [
    environment['AWS_CONFIG_FILE'] ?? join(folder, 'config'),
    environment['AWS_SHARED_CREDENTIALS_FILE'] ?? join(folder, 'credentials'),
    environment['AWS_WEB_IDENTITY_TOKEN_FILE'],
    environment['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'],
  ].filter((path) => path !== undefined);
}
