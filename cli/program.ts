/** `tenure …`: the same things as Kafka's tools, said shorter. */
import { Command } from 'commander';
import {
  kafkaDeleteRecords,
  kafkaGetOffsets,
  kafkaLeaderElection,
  kafkaLogDirs,
  kafkaReassignPartitions,
  kafkaTransactions,
} from './admin-tools.ts';
import { describeGroup, listGroups } from './groups.ts';
import {
  kafkaConfigs,
  kafkaConsoleConsumer,
  kafkaConsoleProducer,
  kafkaConsumerGroups,
  kafkaTopics,
  print,
  run,
  withAdmin,
} from './kafka-tools.ts';
import {
  createTopic,
  deleteTopic,
  describeTopics,
  growTopic,
  listTopics,
  parseConfigs,
} from './topics.ts';

const SERVER = [
  '-b, --bootstrap-server <host:port>',
  'brokers to begin with',
  'localhost:9092',
] as const;

interface Server {
  readonly bootstrapServer: string;
}

function topics(): Command {
  const command = new Command('topics').description('topics of a cluster');
  command
    .command('create <name>')
    .description('create a topic')
    .option(...SERVER)
    .option('-p, --partitions <n>', 'number of partitions', '-1')
    .option('-r, --replicas <n>', 'replicas of each partition', '-1')
    .option('-c, --config <name=value...>', 'topic configuration', [])
    .action(
      (name: string, o: Server & { partitions: string; replicas: string; config: string[] }) =>
        withAdmin(o.bootstrapServer, async (admin) =>
          print([
            await createTopic(admin, {
              name,
              partitions: Number(o.partitions),
              replicas: Number(o.replicas),
              configs: parseConfigs(o.config),
              ifNotExists: false,
            }),
          ]),
        ),
    );
  command
    .command('list')
    .description('names of all topics')
    .option(...SERVER)
    .action((o: Server) =>
      withAdmin(o.bootstrapServer, async (admin) => print(await listTopics(admin))),
    );
  command
    .command('describe [names...]')
    .description('partitions, leaders, replicas and ISR')
    .option(...SERVER)
    .action((names: string[], o: Server) =>
      withAdmin(o.bootstrapServer, async (admin) =>
        print(await describeTopics(admin, names.length === 0 ? null : names)),
      ),
    );
  command
    .command('grow <name> <partitions>')
    .description('raise the number of partitions')
    .option(...SERVER)
    .action((name: string, partitions: string, o: Server) =>
      withAdmin(o.bootstrapServer, (admin) => growTopic(admin, name, Number(partitions))),
    );
  command
    .command('delete <names...>')
    .description('delete topics and their records')
    .option(...SERVER)
    .action((names: string[], o: Server) =>
      withAdmin(o.bootstrapServer, async (admin) => {
        for (const name of names) await deleteTopic(admin, name, false);
      }),
    );
  return command;
}

function groups(): Command {
  const command = new Command('groups').description('consumer groups');
  command
    .command('list')
    .description('names and states of all groups')
    .option(...SERVER)
    .action((o: Server) =>
      withAdmin(o.bootstrapServer, async (admin) =>
        print((await listGroups(admin)).map(({ groupId, state }) => `${groupId}\t${state}`)),
      ),
    );
  command
    .command('describe <group>')
    .description('offsets and lag')
    .option(...SERVER)
    .action((group: string, o: Server) =>
      withAdmin(o.bootstrapServer, async (admin) => print(await describeGroup(admin, group))),
    );
  return command;
}

const tools: Readonly<Record<string, (name?: string) => Command>> = {
  'kafka-topics': kafkaTopics,
  'kafka-consumer-groups': kafkaConsumerGroups,
  'kafka-configs': kafkaConfigs,
  'kafka-get-offsets': kafkaGetOffsets,
  'kafka-delete-records': kafkaDeleteRecords,
  'kafka-log-dirs': kafkaLogDirs,
  'kafka-reassign-partitions': kafkaReassignPartitions,
  'kafka-leader-election': kafkaLeaderElection,
  'kafka-transactions': kafkaTransactions,
};

const program = new Command('tenure')
  .description('Kafka for Kubernetes without a JVM, ZooKeeper or a KRaft quorum')
  .addCommand(topics())
  .addCommand(groups())
  .addCommand(kafkaConsoleProducer('produce'))
  .addCommand(kafkaConsoleConsumer('consume'))
  .addHelpText(
    'after',
    '\nIn pods: tenure broker, tenure operator (configured by environment variables).',
  );

for (const [name, make] of Object.entries(tools)) program.addCommand(make(name));

const [, , first, ...rest] = process.argv;
const all: typeof tools = {
  ...tools,
  'kafka-console-producer': kafkaConsoleProducer,
  'kafka-console-consumer': kafkaConsoleConsumer,
};
const tool = first === undefined ? undefined : all[first];
await (tool === undefined ? run(program, process.argv.slice(2)) : run(tool(), rest));
