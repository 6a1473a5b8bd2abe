/** Where a signer may turn to: what goes there says who it is, so it goes encrypted or stays on this machine. */
import { isIPv4 } from 'node:net';
import { KeystoreError } from './keystore-error.ts';

/** Throws KeystoreError for an address that is none, has more than scheme, host and port, or is unencrypted and remote. */
export function checkServiceUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null)
    throw new KeystoreError(`${text} is not an address: write it as https://vault.example:8200`);
  const { username, password, pathname, search, hash } = url;
  if ([username, password, search, hash].some((part) => part !== '') || pathname !== '/')
    throw new KeystoreError('an address of a service has scheme, host and port alone: leave out the rest');
  if (!isPrivateWay(url)) {
    throw new KeystoreError(
      `${url.origin} is not encrypted, and credentials would travel in the clear: use https:, or an address of this machine`,
    );
  }
  return url;
}

/** Whether what is sent to a place is encrypted, or does not leave this machine. */
export function isPrivateWay({ protocol, hostname }: { protocol: string; hostname: string }): boolean {
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname));
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || (isIPv4(host) && host.startsWith('127.'));
}
