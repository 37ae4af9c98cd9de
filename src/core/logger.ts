/** Where what happens is told. */

/** Takes a Powertools, pino or console logger alike. No secrets, no message contents. */
export interface Logger {
  readonly info: (fields: object, message: string) => void;
  readonly warn: (fields: object, message: string) => void;
  readonly error: (fields: object, message: string) => void;
}
