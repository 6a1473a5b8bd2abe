/** What servers and clients of TLS need of this package, without the rest of it. */
export { endWithCertificate } from './peer-identity.ts';
export {
  type ClientTls,
  ClientTlsAgent,
  type ClientTlsPaths,
  readAuthorities,
  readCertificate,
  readClientTls,
} from './tls-files.ts';
