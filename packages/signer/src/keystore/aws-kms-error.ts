/** What AWS KMS, its SDK and the way between them say, as a sentence for the operator. */
import { KeystoreError, TokenUnavailable } from './keystore-error.ts';

/** Credentials that AWS does not know, or that are over. */
const unknownCredentials = new Set([
  'ExpiredTokenException',
  'IncompleteSignature',
  'IncompleteSignatureException',
  'InvalidClientTokenId',
  'InvalidSignatureException',
  'MissingAuthenticationToken',
  'MissingAuthenticationTokenException',
  'SignatureDoesNotMatch',
  'UnrecognizedClientException',
]);

/** Names of errors that pass by themselves, whatever status they come with. */
const passing = new Set([
  'DependencyTimeoutException',
  'KMSInternalException',
  'KeyUnavailableException',
  'LimitExceededException',
  'RequestLimitExceeded',
  'Throttling',
  'ThrottlingException',
  'TimeoutError',
  'TooManyRequestsException',
]);

/** Advice by the error's name. */
const advice: ReadonlyMap<string, string> = new Map([
  ['DisabledException', 'the key is disabled: enable it, if nobody meant that'],
  [
    'KMSInvalidStateException',
    'the key is not enabled: where its deletion is pending, cancel that and enable it',
  ],
  ['NotFoundException', 'there is no such key: see region, account and id'],
  ['InvalidArnException', 'the id is not one of a key: give its ARN'],
  ['InvalidKeyUsageException', 'the key is of another kind than described: see whether it is the right one'],
  [
    'AccessDeniedException',
    'these credentials may not do that: allow kms:GetPublicKey and kms:Sign on the key',
  ],
]);

/** Always a KeystoreError; TokenUnavailable where trying again may help. `what` was asked for. */
export function explainAwsError(service: string, what: string, error: unknown): KeystoreError {
  if (error instanceof KeystoreError) return error;
  const { name, message } = error instanceof Error ? error : { name: 'Error', message: String(error) };
  const said = `${name}${message === '' ? '' : `: ${oneLine(message)}`}`;
  if (name === 'CredentialsProviderError') {
    return new KeystoreError(
      `there are no AWS credentials (${said}): give the machine a role, or set them in the environment or a profile`,
      { cause: error },
    );
  }
  if (unknownCredentials.has(name)) {
    return new KeystoreError(
      `${service} does not take the credentials (${said}): renew them, and see the clock`,
      {
        cause: error,
      },
    );
  }
  const what2do = advice.get(name);
  if (what2do !== undefined)
    return new KeystoreError(`${service} refuses ${what} (${said}): ${what2do}`, { cause: error });
  if (passing.has(name) || isFromServerOrNetwork(error))
    return new TokenUnavailable(`${service} does not answer now (${said}): see that it can be reached`, {
      cause: error,
    });
  return new KeystoreError(`${service} refuses ${what} (${said})`, { cause: error });
}

/** Errors without an answer come from the network, unless this process has a fault of its own. */
function isFromServerOrNetwork(error: unknown): boolean {
  const { $metadata, code, syscall } = error as {
    $metadata?: { httpStatusCode?: number };
    code?: unknown;
    syscall?: unknown;
  };
  const status = $metadata?.httpStatusCode;
  if (status !== undefined) return status >= 500 || status === 429;
  return syscall !== undefined || code === 'ECONNRESET' || code === 'EPIPE';
}

const saidLengthMax = 300;

function oneLine(message: string): string {
  return message.replaceAll(/\s+/g, ' ').slice(0, saidLengthMax);
}
