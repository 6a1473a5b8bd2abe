/** What the other end of the socket needs of this package, without the signer itself. */
export { SignerClient, type SignerHello } from './client.ts';
export { SignerRefused, SignerUnavailable } from './client-errors.ts';
