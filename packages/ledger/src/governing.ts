/** The documents that govern a log: its namespace and brake as committed, and the brake that the signer is bound by. */
import type { BrakeDocument, NamespaceDocument } from '@tallystick/core';
import type { TallyDocument } from '@tallystick/license';

export class Governing {
  #namespace: NamespaceDocument;
  #brake: BrakeDocument;
  #signedBrake: BrakeDocument | null = null;
  readonly #askSigned: () => Promise<BrakeDocument | null>;

  /** @param askSigned asks for the brake that binds the signer */
  constructor(
    namespace: NamespaceDocument,
    brake: BrakeDocument,
    askSigned: () => Promise<BrakeDocument | null>,
  ) {
    this.#namespace = namespace;
    this.#brake = brake;
    this.#askSigned = askSigned;
  }

  get namespace(): NamespaceDocument {
    return this.#namespace;
  }

  get brake(): BrakeDocument {
    return this.#brake;
  }

  /** The newest brake that was given to the signer: it binds, whether or not its record was committed. */
  get signedBrake(): BrakeDocument | null {
    return this.#signedBrake;
  }

  /**
   * Asks which brake binds the signer: at the start, and once it refused something, which may have been a brake. Where
   * it does not answer, what is known stays.
   */
  async learn(): Promise<void> {
    this.#signedBrake = await this.#askSigned().catch(() => this.#signedBrake);
  }

  /** Takes in a document that is about to be signed. */
  signing(document: TallyDocument): void {
    if (document.type === 'brake') this.#signedBrake = document as BrakeDocument;
  }

  /** Takes in a document that was committed. */
  committed(document: TallyDocument): void {
    if (document.type === 'namespace') this.#namespace = document as NamespaceDocument;
    if (document.type === 'brake') this.#brake = document as BrakeDocument;
  }
}
