export { newLicenseKey, newSubjectId } from './identifiers.ts';
export { bootstrapIdentity, createIdentity, type Identity, type IdentityOptions } from './setup/identity.ts';
