/**
 * Tenure's CustomResourceDefinitions: the schema of each kind, with the rules that can be judged
 * when an object is applied. `npm run gen` writes them to crds/ and into the chart.
 */
import { GROUP, VERSION } from '../../kube/kafka-objects.ts';

type Schema = Readonly<Record<string, unknown>>;

const text = (description: string, more: Schema = {}): Schema => ({
  type: 'string',
  description,
  ...more,
});
const whole = (description: string, more: Schema = {}): Schema => ({
  type: 'integer',
  description,
  ...more,
});
const flag = (description: string, more: Schema = {}): Schema => ({
  type: 'boolean',
  description,
  ...more,
});
const record = (
  description: string,
  properties: Record<string, Schema>,
  more: Schema = {},
): Schema => ({ type: 'object', description, properties, ...more });
const list = (description: string, items: Schema, more: Schema = {}): Schema => ({
  type: 'array',
  description,
  items,
  ...more,
});
const open = (description: string): Schema => ({
  type: 'object',
  description,
  'x-kubernetes-preserve-unknown-fields': true,
});
const rule = (cel: string, message: string) => ({ rule: cel, message });

const config = (description: string): Schema => ({
  type: 'object',
  description,
  additionalProperties: {
    anyOf: [{ type: 'integer' }, { type: 'string' }],
    'x-kubernetes-int-or-string': true,
  },
});

const clusterRef = record(
  'The KafkaCluster, in the same namespace.',
  { name: text('Name of the KafkaCluster.', { minLength: 1 }) },
  { required: ['name'] },
);

const conditions: Schema = list(
  'What holds and why, by Kubernetes conventions.',
  record(
    'One condition.',
    {
      type: text('What is judged, such as Ready.'),
      status: text('True, False or Unknown.', { enum: ['True', 'False', 'Unknown'] }),
      reason: text('A word for programs.'),
      message: text('A sentence for people.'),
      lastTransitionTime: text('When the status last changed.'),
      observedGeneration: whole('The generation that was judged.', { format: 'int64' }),
    },
    { required: ['type', 'status'] },
  ),
  { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] },
);

interface Column {
  readonly name: string;
  readonly type: string;
  readonly jsonPath: string;
  readonly priority?: number;
  readonly description?: string;
}
const column = (name: string, jsonPath: string, type = 'string', priority?: number): Column => ({
  name,
  type,
  jsonPath,
  ...(priority === undefined ? {} : { priority }),
});
const READY = column('Ready', '.status.conditions[?(@.type=="Ready")].status');
const AGE = column('Age', '.metadata.creationTimestamp', 'date');

interface CrdOptions {
  readonly kind: string;
  readonly plural: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly description: string;
  readonly spec: Schema;
  readonly status?: Schema;
  readonly columns: readonly Column[];
  readonly scale?: Schema;
}

function crd(of: CrdOptions) {
  const { kind, plural, shortNames, categories, description, spec, status, columns, scale } = of;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}`, labels: { 'app.kubernetes.io/part-of': 'tenure' } },
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: {
        kind,
        plural,
        singular: kind.toLowerCase(),
        listKind: `${kind}List`,
        shortNames,
        categories,
      },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              description,
              required: ['spec'],
              properties: {
                apiVersion: text('The version of this form of the object.'),
                kind: text('The kind of the object.'),
                metadata: { type: 'object' },
                spec,
                ...(status === undefined ? {} : { status }),
              },
            },
          },
          additionalPrinterColumns: columns,
          ...(status === undefined && scale === undefined
            ? {}
            : {
                subresources: {
                  ...(status === undefined ? {} : { status: {} }),
                  ...(scale === undefined ? {} : { scale }),
                },
              }),
        },
      ],
    },
  };
}

const listener = record(
  'One listener.',
  {
    name: text('Name of the listener.', { pattern: '^[a-z0-9]{1,11}$', maxLength: 11 }),
    port: whole('Port of every broker.', { minimum: 1024, maximum: 65535 }),
    type: text(
      'internal: inside the cluster; nodeport: a port on every node; loadbalancer: a Service of type LoadBalancer for each broker.',
      { enum: ['internal', 'nodeport', 'loadbalancer'], default: 'internal' },
    ),
    tls: flag('Whether clients speak TLS there.', { default: false }),
    annotations: {
      type: 'object',
      description: 'Annotations of the Services that are made for it.',
      additionalProperties: { type: 'string' },
    },
    brokers: list(
      'What single brokers tell clients of this listener, where it is not found out.',
      record(
        'A broker.',
        {
          id: whole('Broker id.', { minimum: 0 }),
          advertisedHost: text('Host that clients are told.', { maxLength: 253 }),
          advertisedPort: whole('Port that clients are told.', { minimum: 1, maximum: 65535 }),
          nodePort: whole('Port on every node; chosen if absent.', { minimum: 1, maximum: 65535 }),
        },
        { required: ['id'] },
      ),
      { maxItems: 1000, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['id'] },
    ),
  },
  {
    required: ['name', 'port'],
    'x-kubernetes-validations': [
      rule(
        'self.port != 9091 && self.port != 9404',
        'port must not be 9091 or 9404: brokers use them',
      ),
    ],
  },
);

const kafkaCluster = crd({
  kind: 'KafkaCluster',
  plural: 'kafkaclusters',
  shortNames: ['kfc'],
  categories: ['kafka'],
  description: 'A cluster of Kafka brokers.',
  spec: record(
    'The cluster that is wanted.',
    {
      replicas: whole('How many brokers there are.', { minimum: 1, maximum: 1000, default: 3 }),
      image: text("The brokers' image; the operator's own release by default."),
      config: config("Broker configuration under Kafka's names; changes act without a restart."),
      brokerConfig: {
        type: 'object',
        description: 'Configuration of single brokers, by id; it goes before config.',
        additionalProperties: config("A broker's own configuration under Kafka's names."),
      },
      groupConfig: {
        type: 'object',
        description: 'Configuration of single groups, by id.',
        additionalProperties: config("A group's own configuration under Kafka's names."),
      },
      quotas: list(
        'Limits of clients; <default> stands for everybody who is not named.',
        record(
          'The limits of a user, of a client id, of both, or of an address.',
          {
            user: text('Name of a user.', { minLength: 1 }),
            clientId: text('Client id.', { minLength: 1 }),
            ip: text('Address of clients.', { minLength: 1 }),
            config: config(
              'producer_byte_rate, consumer_byte_rate, request_percentage, controller_mutation_rate; connection_creation_rate of an address.',
            ),
          },
          { required: ['config'] },
        ),
        { maxItems: 1000 },
      ),
      listeners: list(
        'Where clients connect; one internal listener on port 9092 if absent.',
        listener,
        {
          minItems: 1,
          maxItems: 8,
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
          'x-kubernetes-validations': [
            rule(
              'self.all(a, self.exists_one(b, a.port == b.port))',
              'ports must differ from listener to listener',
            ),
          ],
        },
      ),
      storage: record(
        'Where records are kept.',
        {
          type: text('A volume that outlives its pod, or one that does not.', {
            enum: ['ephemeral', 'persistent-claim'],
          }),
          size: text('Size of each volume, such as 10Gi; it can grow while brokers run.', {
            pattern: '^[1-9][0-9]*(Ki|Mi|Gi|Ti|Pi)?$',
            maxLength: 20,
          }),
          volumes: whole(
            'Volumes of each broker: every one is a log directory, and its replicas spread over them.',
            { minimum: 1, maximum: 16 },
          ),
          class: text('StorageClass; the default one if absent.', { maxLength: 253 }),
          deleteClaim: flag('Whether volumes go with the cluster.', { default: false }),
        },
        {
          required: ['type'],
          'x-kubernetes-validations': [
            rule(
              "self.type != 'persistent-claim' || has(self.size)",
              'size must be set where type is persistent-claim',
            ),
            rule(
              'self.type == oldSelf.type',
              'type must not change: records would stay behind on the old volumes',
            ),
            rule(
              '(has(self.volumes) ? self.volumes : 1) == (has(oldSelf.volumes) ? oldSelf.volumes : 1)',
              'volumes must not change: Kubernetes gives running brokers no further claims',
            ),
            rule(
              'has(self.class) == has(oldSelf.class) && (!has(self.class) || self.class == oldSelf.class)',
              'class must not change: records would stay behind on the old volumes',
            ),
            rule(
              '!has(self.size) || !has(oldSelf.size) || quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0',
              'size must not shrink: volumes can only grow',
            ),
          ],
        },
      ),
      rack: record(
        'Spreads replicas over racks and lets consumers read from the nearest one.',
        { topologyKey: text('Node label that names the rack.', { minLength: 1, maxLength: 317 }) },
        { required: ['topologyKey'] },
      ),
      resources: open(
        'Requests and limits of the broker container. Without any for memory, 256Mi are requested and 2Gi is the limit. What requests and answers may take in a broker follows from the limit (queued.max.request.bytes), and so does the heap.',
      ),
      template: record('Changes to what is generated.', {
        pod: open("Merged into the pod's spec; `metadata` in it gives labels and annotations."),
        broker: open("Merged into the broker's container: env, probes, securityContext, …"),
      }),
      updatePolicy: text(
        'Automatic restarts brokers when something calls for it; Plan shows status.plan first and waits until the annotation kafka.tenure.dev/approve-plan repeats status.planId.',
        { enum: ['Automatic', 'Plan'], default: 'Automatic' },
      ),
      maintenanceWindows: list(
        'When restarts may begin; at any time if there are none.',
        record(
          'A time that comes again.',
          {
            schedule: text('When it opens, as five fields of cron, such as 0 2 * * 6.', {
              pattern: '^(\\S+ ){4}\\S+$',
              maxLength: 100,
            }),
            durationMinutes: whole('How long it stays open.', { minimum: 1, maximum: 10080 }),
            timeZone: text('IANA name of the time zone, such as Europe/Berlin; UTC if absent.', {
              maxLength: 64,
            }),
          },
          { required: ['schedule', 'durationMinutes'] },
        ),
        { maxItems: 16 },
      ),
      hibernated: flag('True: no broker runs, volumes and topics stay until it is false again.', {
        default: false,
      }),
      drainBrokers: list(
        'Brokers that are to be emptied and get nothing new, by id.',
        { type: 'integer', minimum: 0 },
        { maxItems: 1000, 'x-kubernetes-list-type': 'set' },
      ),
      autoscaling: record(
        'Bounds of replicas for whoever scales the cluster, such as a HorizontalPodAutoscaler.',
        {
          minReplicas: whole('Fewest brokers.', { minimum: 1, maximum: 1000 }),
          maxReplicas: whole('Most brokers.', { minimum: 1, maximum: 1000 }),
        },
        {
          required: ['minReplicas', 'maxReplicas'],
          'x-kubernetes-validations': [
            rule(
              'self.minReplicas <= self.maxReplicas',
              'minReplicas must not be above maxReplicas',
            ),
          ],
        },
      ),
      tls: record('Certificates of listeners with tls: true, and of brokers among themselves.', {
        brokers: flag(
          'Whether brokers speak TLS among themselves, each side proving which broker it is. A change rolls the cluster in steps that brokers beside each other understand.',
        ),
        certificateSecret: text(
          'A Secret with tls.crt and tls.key that somebody else keeps, such as cert-manager; the operator makes and renews its own if absent.',
          { minLength: 1, maxLength: 253 },
        ),
        validityDays: whole("How long the operator's certificates are good for.", {
          minimum: 1,
          maximum: 3650,
        }),
        renewalDays: whole('How long before their end they are made anew.', {
          minimum: 1,
          maximum: 3650,
        }),
      }),
      recovery: record(
        'What is allowed where Kubernetes does not know what the volumes of brokers hold.',
        {
          adoptVolumes: flag(
            'Volumes of an earlier cluster of this name are taken over, with what they hold.',
          ),
          lostBrokers: list(
            'Brokers whose volumes will not come back, by id: nobody waits for what they know.',
            { type: 'integer', minimum: 0 },
            { maxItems: 1000, 'x-kubernetes-list-type': 'set' },
          ),
          allowLoss: flag(
            'Where no replica certainly has everything, the one that has most leads; what is missing is told.',
          ),
        },
      ),
      metrics: record('What is set up for Prometheus.', {
        podMonitor: flag("Whether a PodMonitor is made; needs the Prometheus operator's kinds.", {
          default: false,
        }),
      }),
    },
    {
      required: ['replicas'],
      'x-kubernetes-validations': [
        rule(
          '!has(self.autoscaling) || (self.replicas >= self.autoscaling.minReplicas && self.replicas <= self.autoscaling.maxReplicas)',
          'replicas must be within autoscaling.minReplicas and autoscaling.maxReplicas',
        ),
        rule(
          "has(self.storage) == has(oldSelf.storage) || (has(self.storage) ? self.storage.type : oldSelf.storage.type) == 'ephemeral'",
          'storage must stay as it is: without it records would stay behind on the old volumes',
        ),
        rule(
          "!has(self.storage) || self.storage.type != 'ephemeral' || !has(self.hibernated) || !self.hibernated",
          'hibernated must be false where storage is ephemeral: records would be lost',
        ),
      ],
    },
  ),
  status: record('The cluster as it is.', {
    observedGeneration: whole('The generation that was last acted on.', { format: 'int64' }),
    replicas: whole('Broker pods.'),
    readyReplicas: whole('Broker pods that serve.'),
    brokers: text('Ready and wanted brokers, as 3/3.'),
    selector: text('Label selector of the broker pods.'),
    bootstrapServers: text('Where clients begin.'),
    clusterId: text("The cluster's id in the Kafka protocol."),
    listeners: list(
      'Where each listener is reached.',
      record('A listener.', {
        name: text('Name of the listener.'),
        type: text('How it can be reached.'),
        bootstrapServers: text('Where clients begin.'),
        brokers: list(
          'Address of each broker, where it is not the one that brokers give themselves.',
          record('An address.', {
            id: whole('Broker id.'),
            host: text('Host.'),
            port: whole('Port.'),
          }),
        ),
      }),
    ),
    plan: list(
      'Restarts that are due, in their order.',
      record('A restart.', {
        broker: whole('Broker id.'),
        reason: text('Why it is due.'),
        waitsFor: text('What it waits for; absent where it may begin.'),
      }),
    ),
    planId: text('Names the plan, for the annotation that approves of it.'),
    lastRestarts: list(
      'The last restarts, newest first.',
      record('A restart.', {
        broker: whole('Broker id.'),
        reason: text('Why it was done.'),
        podUid: text('UID of the pod that was deleted.'),
        startedAt: text('When it began.'),
        seconds: whole('Until the broker was ready again.'),
      }),
    ),
    moves: record('Partitions on their way to other brokers.', {
      partitions: whole('How many are still moving.'),
      total: whole('How many there were when the move began.'),
      startedAt: text('When the move began.'),
      message: text('Progress and time left, for people.'),
    }),
    certificates: list(
      'Certificates in use.',
      record('A certificate.', {
        name: text('Which one.'),
        notAfter: text('When it expires.'),
      }),
    ),
    conditions,
  }),
  columns: [
    READY,
    column('Brokers', '.status.brokers'),
    column('Progress', '.status.conditions[?(@.type=="Progressing")].message', 'string', 1),
    column('Bootstrap', '.status.bootstrapServers', 'string', 1),
    column('Status', '.status.conditions[?(@.type=="Ready")].message', 'string', 1),
    AGE,
  ],
  scale: {
    specReplicasPath: '.spec.replicas',
    statusReplicasPath: '.status.replicas',
    labelSelectorPath: '.status.selector',
  },
});

const kafkaTopic = crd({
  kind: 'KafkaTopic',
  plural: 'kafkatopics',
  shortNames: ['kt'],
  categories: ['kafka'],
  description: 'A topic of a KafkaCluster; the same object whether made here or by a Kafka client.',
  spec: record(
    'The topic that is wanted.',
    {
      clusterRef,
      topicName: text('Name in Kafka, where it differs from metadata.name.', {
        pattern: '^[a-zA-Z0-9._-]{1,249}$',
      }),
      partitions: whole('How many partitions there are; the cluster decides if absent.', {
        minimum: 1,
        maximum: 100000,
      }),
      replicas: whole('How many brokers hold each record; the cluster decides if absent.', {
        minimum: 1,
        maximum: 32767,
      }),
      config: config("Topic configuration under Kafka's names; changes act at once."),
      assignments: list(
        'Exact placement: broker ids by partition, the preferred leader first.',
        list('Broker ids.', { type: 'integer' }),
      ),
      deletionPolicy: text(
        'What becomes of the records when the object is deleted: Retain keeps the files of every replica on its broker, out of use.',
        { enum: ['Delete', 'Retain'], default: 'Delete' },
      ),
    },
    {
      required: ['clusterRef'],
      'x-kubernetes-validations': [
        rule(
          '!has(oldSelf.partitions) || (has(self.partitions) && self.partitions >= oldSelf.partitions)',
          'partitions must not shrink: it can only grow',
        ),
        rule(
          '!has(oldSelf.partitions) || !has(self.partitions) || int(self.partitions) <= int(oldSelf.partitions) + 10000',
          'partitions must not grow by more than 10000 at once',
        ),
        rule(
          'has(self.topicName) == has(oldSelf.topicName) && (!has(self.topicName) || self.topicName == oldSelf.topicName)',
          'topicName must not change',
        ),
        rule('self.clusterRef.name == oldSelf.clusterRef.name', 'clusterRef must not change'),
        rule(
          "!has(self.config) || !has(self.replicas) || !('min.insync.replicas' in self.config) || int(self.config['min.insync.replicas']) <= self.replicas",
          'config: min.insync.replicas must not be above replicas',
        ),
      ],
    },
  ),
  status: record('The topic as it is.', {
    observedGeneration: whole('The generation that was last acted on.', { format: 'int64' }),
    topicId: text("The topic's id in the Kafka protocol."),
    partitions: whole('Partitions that exist.'),
    replicas: whole('Replicas of each partition.'),
    inSync: whole('Partitions with every replica in sync.'),
    underReplicated: whole('Partitions with fewer in-sync replicas than replicas.'),
    offline: whole('Partitions without a leader.'),
    leaders: text('Brokers that lead partitions of the topic.'),
    moving: whole('Partitions on their way to other brokers.'),
    observedReplicas: whole('The spec.replicas that was last seen; a different one is acted on.'),
    resizingTo: whole('While partitions get another number of replicas: that number.', {
      nullable: true,
    }),
    conditions,
  }),
  columns: [
    READY,
    column('Cluster', '.spec.clusterRef.name', 'string', 1),
    column('Topic', '.spec.topicName', 'string', 1),
    column('Partitions', '.status.partitions', 'integer'),
    column('Replicas', '.status.replicas', 'integer'),
    column('In-Sync', '.status.inSync', 'integer'),
    column('Under-Replicated', '.status.underReplicated', 'integer'),
    column('Offline', '.status.offline', 'integer'),
    column('Leaders', '.status.leaders'),
    column('Moving', '.status.moving', 'integer', 1),
    column('Status', '.status.conditions[?(@.type=="Ready")].message', 'string', 1),
    AGE,
  ],
});

const kafkaBroker = crd({
  kind: 'KafkaBroker',
  plural: 'kafkabrokers',
  shortNames: ['kb'],
  categories: ['kafka'],
  description: 'A broker as it describes itself; written by the broker, not by people.',
  spec: record(
    'Where the broker is and what it kept.',
    {
      clusterRef,
      id: whole('Broker id.', { minimum: 0 }),
      epoch: whole('Which of its lives this is.', { format: 'int64' }),
      host: text('Host that clients and brokers connect to.'),
      port: whole('Port for clients.'),
      replicationPort: whole('Port for brokers.'),
      rack: text('Rack.'),
      version: text('Release of the broker.'),
      incarnation: text('Identity of the process.'),
      podUid: text('UID of the pod in which the process runs.'),
      keptSince: whole('Oldest life since which nothing was lost.', { format: 'int64' }),
    },
    { required: ['clusterRef', 'id', 'epoch', 'host', 'port', 'replicationPort'] },
  ),
  status: record('What the broker is doing.', {
    state: text('Running, Draining or Fenced.', { enum: ['Running', 'Draining', 'Fenced'] }),
    epoch: whole('The life that the state speaks of.', { format: 'int64' }),
    leaders: whole('Partitions that it leads.'),
    replicas: whole('Replicas that it holds.'),
    underReplicated: whole('Led partitions that lack in-sync replicas.'),
    configProblems: list('Configuration that it cannot act on.', text('A sentence.')),
    failedLogDirs: list('Log directories whose disk failed.', text('Which, and why.')),
  }),
  columns: [
    column('Id', '.spec.id', 'integer'),
    column('State', '.status.state'),
    column('Host', '.spec.host'),
    column('Leaders', '.status.leaders', 'integer'),
    column('Replicas', '.status.replicas', 'integer'),
    column('Under-Replicated', '.status.underReplicated', 'integer'),
    column('Epoch', '.spec.epoch', 'integer', 1),
    column('Rack', '.spec.rack', 'string', 1),
    AGE,
  ],
});

const kafkaPartitionMap = crd({
  kind: 'KafkaPartitionMap',
  plural: 'kafkapartitionmaps',
  shortNames: ['kpm'],
  categories: [],
  description: 'The state of up to 256 partitions, a line each; written by the controller only.',
  spec: record(
    'One page.',
    {
      clusterRef,
      controllerEpoch: whole('The controller that holds the page.', { format: 'int64' }),
      storeGeneration: whole('Grows whenever partitions come or go; brokers note it.', {
        format: 'int64',
      }),
      partitions: text('A line for each partition: leader, epochs, replicas, ISR, ELR.'),
    },
    { required: ['clusterRef', 'controllerEpoch', 'partitions'] },
  ),
  columns: [
    column('Cluster', '.spec.clusterRef.name'),
    column('Controller-Epoch', '.spec.controllerEpoch', 'integer'),
    AGE,
  ],
});

const kafkaClusterState = crd({
  kind: 'KafkaClusterState',
  plural: 'kafkaclusterstates',
  shortNames: ['kcs'],
  categories: [],
  description:
    'What a cluster must remember besides its partitions; written by the controller only.',
  spec: record(
    'The state.',
    {
      clusterRef,
      clusterId: text("The cluster's id in the Kafka protocol."),
      controllerEpoch: whole('The last controller that claimed the cluster.', { format: 'int64' }),
      nextProducerId: whole('First producer id that nobody has.', { format: 'int64' }),
      balancedBrokers: whole('How many brokers replicas were last spread over.'),
      storeGeneration: whole(
        'The generation of the pages when they were last written from volumes.',
        {
          format: 'int64',
        },
      ),
      recovering: flag('Whether pages are being written again from volumes.'),
    },
    { required: ['clusterRef', 'clusterId', 'controllerEpoch', 'nextProducerId'] },
  ),
  columns: [
    column('Cluster-Id', '.spec.clusterId'),
    column('Controller-Epoch', '.spec.controllerEpoch', 'integer'),
    AGE,
  ],
});

export const crds = [
  kafkaCluster,
  kafkaTopic,
  kafkaBroker,
  kafkaPartitionMap,
  kafkaClusterState,
] as const;
