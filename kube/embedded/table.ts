/** `kubectl get` as the server prints it: tables with the kind's columns. Pure. */
import type { KubeObject } from '../objects.ts';
import { valuesAt } from './field-path.ts';
import type { Kind, PrinterColumn } from './kinds.ts';

/** Kubernetes' short durations: 45s, 12m, 3h20m, 5d. */
export function shortAge(fromMs: number, nowMs: number): string {
  const seconds = Math.max(0, Math.floor((nowMs - fromMs) / 1000));
  if (!Number.isFinite(seconds)) return '<unknown>';
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m${seconds % 60}s`;
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`;
  return hours < 48 ? `${hours}h` : `${Math.floor(hours / 24)}d`;
}

const NAME: PrinterColumn = { name: 'Name', type: 'string', jsonPath: '.metadata.name' };
const AGE: PrinterColumn = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };

function columnsOf({ columns }: Kind): PrinterColumn[] {
  const hasAge = columns.some(({ name }) => name.toLowerCase() === 'age');
  return [NAME, ...columns, ...(hasAge ? [] : [AGE])];
}

function cell(object: KubeObject, { jsonPath, type }: PrinterColumn, nowMs: number): unknown {
  const values = valuesAt(object, jsonPath);
  if (values.length === 0) return type === 'date' ? '<unknown>' : type === 'integer' ? 0 : '';
  if (type === 'date') return shortAge(Date.parse(String(values[0])), nowMs);
  if (type === 'integer' || type === 'number') return values[0];
  return values
    .map((value) => (typeof value === 'object' ? JSON.stringify(value) : String(value)))
    .join(',');
}

/** What the columns of built-in kinds need and objects do not hold as such. */
function withDerived(kind: Kind, object: any): KubeObject {
  if (kind.kind === 'StatefulSet') {
    return {
      ...object,
      status: {
        ...object.status,
        tenureReady: `${object.status?.readyReplicas ?? 0}/${object.spec?.replicas ?? 0}`,
      },
    };
  }
  if (kind.kind !== 'Pod') return object;
  const statuses: any[] = object.status?.containerStatuses ?? [];
  const waiting = statuses.find((s) => s.state?.waiting)?.state.waiting.reason;
  const reason = object.metadata.deletionTimestamp
    ? 'Terminating'
    : (waiting ?? object.status?.phase ?? 'Pending');
  const tenureReady = `${statuses.filter((s) => s.ready).length}/${object.spec?.containers?.length ?? 0}`;
  return { ...object, status: { ...object.status, tenureReady, tenureReason: reason } };
}

export function tableOf(
  kind: Kind,
  objects: readonly KubeObject[],
  of: { nowMs: number; resourceVersion: string; includeObject: string; headers: boolean },
): object {
  const columns = columnsOf(kind);
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: { resourceVersion: of.resourceVersion },
    columnDefinitions: of.headers
      ? columns.map(({ name, type, priority, description }) => ({
          name,
          type,
          format: name === 'Name' ? 'name' : '',
          description: description ?? name,
          priority: priority ?? 0,
        }))
      : [],
    rows: objects.map((object) => {
      const shown = withDerived(kind, object);
      return {
        cells: columns.map((column) => cell(shown, column, of.nowMs)),
        object:
          of.includeObject === 'Object'
            ? object
            : {
                kind: 'PartialObjectMetadata',
                apiVersion: 'meta.k8s.io/v1',
                metadata: object.metadata,
              },
      };
    }),
  };
}
