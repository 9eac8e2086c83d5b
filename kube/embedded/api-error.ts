/** Errors as the API server words them. */
import { KubeError } from '../port.ts';

export class ApiError extends KubeError {
  readonly causes: readonly { reason: string; message: string; field: string }[];
  /** What the error is about, for clients that word it themselves. */
  about: { readonly name: string; readonly group: string; readonly kind: string } | null = null;

  constructor(status: number, reason: string, message: string, causes: ApiError['causes'] = []) {
    super(status, reason, message);
    this.causes = causes;
  }
}

export function statusOf(error: ApiError): object {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: error.message,
    reason: error.reason,
    details: { ...error.about, ...(error.causes.length === 0 ? {} : { causes: error.causes }) },
    code: error.status,
  };
}

export const notFound = (plural: string, name: string) =>
  new ApiError(404, 'NotFound', `${plural} "${name}" not found`);
export const alreadyExists = (plural: string, name: string) =>
  new ApiError(409, 'AlreadyExists', `${plural} "${name}" already exists`);
export const conflict = (plural: string, name: string) =>
  new ApiError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${plural} "${name}": the object has been modified; please apply your changes to the latest version and try again`,
  );
export const badRequest = (message: string) => new ApiError(400, 'BadRequest', message);
