// What a process can see of itself, printed while its handler is loaded; then it ends.
const fs = require('fs');
const os = require('os');

const text = (name) => fs.readFileSync(name, 'latin1');

function descriptors() {
  const seen = [];
  for (let fd = 0; fd < 64; fd++) {
    try {
      seen.push([fd, fs.readlinkSync('/proc/self/fd/' + fd).replace(/\d+/g, 'N')]);
    } catch {
      continue;
    }
  }
  return seen;
}

const mounts = () => text('/proc/self/mountinfo').trim().split('\n').map((line) => {
  const [left, right] = line.split(' - ');
  return left.split(' ').slice(3, 6).join(' ') + ' ' + right;
}).sort();

const WANTED = ['Name', 'Umask', 'Tgid', 'Pid', 'PPid', 'TracerPid', 'Uid', 'Gid', 'Groups', 'Threads', 'SigBlk', 'SigIgn', 'SigCgt',
  'FDSize', 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs', 'Seccomp', 'Seccomp_filters'];

const space = (name) => {
  const info = fs.statfsSync ? fs.statfsSync(name) : { blocks: 0, bsize: 0 };
  return info.blocks * info.bsize;
};

const listing = {
  environment: Object.entries(process.env),
  arguments: [process.argv, process.argv0, process.execArgv, process.execPath, process.title, text('/proc/self/cmdline')],
  directory: [process.cwd(), fs.readdirSync('.'), __filename],
  paths: [module.paths, require('module').globalPaths, require.main.filename],
  modules: Object.keys(require.cache),
  builtins: process.moduleLoadList.slice().sort(),
  globals: Object.getOwnPropertyNames(globalThis).sort(),
  descriptors: descriptors(),
  limits: text('/proc/self/limits'),
  users: [process.getuid(), process.geteuid(), process.getgid(), process.getegid(), process.getgroups(), process.pid, process.ppid],
  umask: process.umask(),
  status: text('/proc/self/status').split('\n').filter((line) => WANTED.includes(line.split(':')[0])),
  groups: text('/proc/self/cgroup'),
  // Which user of the host it is differs between any two environments.
  maps: ['uid_map', 'gid_map'].map((name) => text('/proc/self/' + name).replace(/ \d{5,} /g, ' N ')),
  oom: text('/proc/self/oom_score_adj'),
  mounts: mounts(),
  space: [space('/tmp'), space('/dev/shm')],
  host: os.hostname(),
  roots: ['/', '/tmp', '/opt', '/var', '/dev/shm', '/var/runtime'].map((folder) => fs.readdirSync(folder).sort()),
  heap: require('v8').getHeapStatistics().heap_size_limit,
  locale: [Intl.DateTimeFormat().resolvedOptions().locale, Intl.DateTimeFormat().resolvedOptions().timeZone],
  time: [new Date(0).toString(), new Date(0).getTimezoneOffset()],
  listeners: process.eventNames().map(String).sort(),
  streams: [process.stdout.isTTY === undefined, process.stdout.writable, process.stdin.isTTY === undefined],
};
for (const [key, value] of Object.entries(listing)) fs.writeSync(1, key + ': ' + JSON.stringify(value) + '\n');
process.exit(7);
