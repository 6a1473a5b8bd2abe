import { TwoCopies } from './two-copies.ts';

/** For tests, and for applications that fetch a license file at every start. Lost with the process. */
export class InMemoryStore extends TwoCopies {
  constructor() {
    const copies: { text: string | null } = { text: null };
    super({
      read: async () => copies.text,
      write: async (text) => {
        copies.text = text;
      },
    });
  }
}
