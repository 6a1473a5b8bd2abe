/** Writes projections in a thread of its own. */
import { workerData } from 'node:worker_threads';
import { serve } from '../thread/serve.ts';
import { type ProjectedRequest, Projections, type RevisionRows } from './projections.ts';

interface Written {
  revisions: RevisionRows[];
  requests: ProjectedRequest[];
  size: number;
}

const { file } = workerData as { file: string };

serve(() => {
  const projections = new Projections(file);
  return {
    apply: (text: string) => {
      const { revisions, requests, size } = JSON.parse(text) as Written;
      projections.apply(revisions, requests, size);
    },
    scrub: () => projections.scrub(),
    clear: () => projections.clear(),
    close: () => projections[Symbol.dispose](),
  };
});
