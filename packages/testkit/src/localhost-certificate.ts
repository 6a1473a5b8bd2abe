/** A certificate of 127.0.0.1 that nothing trusts by itself, for tests of TLS. Its key is public, and protects nothing. */
export const localhostCertificate: { cert: string; key: string } = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBtTCCAVugAwIBAgIUSQk5bhk9PLz68a6yopTUpZW+vVYwCgYIKoZIzj0EAwIw
ITEfMB0GA1UEAwwWVGFsbHlzdGljayB0ZXN0IHNlcnZlcjAgFw0yNjExMjYwMDIx
MTVaGA8yMTI2MTEwMjAwMjExNVowITEfMB0GA1UEAwwWVGFsbHlzdGljayB0ZXN0
IHNlcnZlcjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABFytLqmaItFmsQk667n8
TTMM/tzUk0VUrCdMSU2mFJ4eVvc4aZzidNTSTI79PAKa+JRjtCd7d3aUxQfKhYxa
ZK2jbzBtMB0GA1UdDgQWBBR2l60renPxhY9zzHdSN7AV2ZMFVDAfBgNVHSMEGDAW
gBR2l60renPxhY9zzHdSN7AV2ZMFVDAaBgNVHREEEzARhwR/AAABgglsb2NhbGhv
c3QwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEAy+ibOcCwCvc5
Bq1wLPFKC5zhUoe47iC9h4xCcjNKQeICIGwE3lnGHkYFnjnO/yH+EJS1kJCNh5Ta
/mTRCbPItJbv
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZSztfqDqiki9li/P
0Dvmw4O08vEugpD1lRD/eBOkvpWhRANCAARcrS6pmiLRZrEJOuu5/E0zDP7c1JNF
VKwnTElNphSeHlb3OGmc4nTU0kyO/TwCmviUY7Qne3d2lMUHyoWMWmSt
-----END PRIVATE KEY-----
`,
};
