/** What a mutant is. A line is given as it stands in its file, so that one whose line has changed is noticed. */

/** What must fail: one of the tests in a file, or the simulator within so many seeds. */
export type Killer =
  | { readonly test: string }
  | { readonly seeds: number; readonly faults?: string; readonly features?: string };

export interface Mutant {
  readonly name: string;
  /** The rule that holds no more. */
  readonly breaks: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly put: string;
  readonly by: Killer;
}
