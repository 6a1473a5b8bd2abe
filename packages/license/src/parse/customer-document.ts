import type { CustomerDocument } from '../documents.ts';
import { natural } from './grants.ts';
import { subjectType, version } from './head.ts';
import { documentOf, nullable, oneOf, type Reader } from './reader.ts';
import { country, customerId, email, metadata, namespaceName, text } from './scalars.ts';

/** Reader of the `customer` document, which never leaves the vendor. */
export const customerDocument: Reader<CustomerDocument> = documentOf<CustomerDocument>({
  v: version,
  type: subjectType('customer'),
  ns: namespaceName,
  id: customerId,
  rev: natural,
  reference: nullable(text),
  name: nullable(text),
  email: nullable(email),
  country: nullable(country),
  parent: nullable(customerId),
  state: oneOf('active', 'merged', 'erased'),
  into: nullable(customerId),
  metadata,
});
