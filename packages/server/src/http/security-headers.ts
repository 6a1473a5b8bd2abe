/** What keeps a browser from making more of an answer than it is. */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import helmet from 'helmet';

/** Names in lower case. The same for every answer, so they are worked out once; a page that needs less sets its own. */
export const securityHeaders: Readonly<Record<string, string>> = constantHeaders();

function constantHeaders(): Record<string, string> {
  const request = new IncomingMessage(new Socket());
  const response = new ServerResponse(request);
  const policy = { directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] }, useDefaults: false };
  helmet({ contentSecurityPolicy: policy })(request, response, () => {});
  return response.getHeaders() as Record<string, string>;
}
