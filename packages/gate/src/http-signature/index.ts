/** What clients and auditors need of signed requests, without the rest of the gate. */
export * from './content-digest.ts';
export * from './evidence.ts';
export * from './sign.ts';
export * from './signature-base.ts';
export * from './verify.ts';
