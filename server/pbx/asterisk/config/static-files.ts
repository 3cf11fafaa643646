/** The files that say how Asterisk runs; only the site and the system name vary in them. */
import { amiUsername, confValue, type PbxSite, section } from '#server/pbx/asterisk/config/site.ts'

/** `[directories]` with the (!) of the packaged file would be a template, and quietly ignored. */
export const asteriskConf = (systemName: string, site: PbxSite): string => {
  const at = (folder: string) => `${site.folder}/${folder}`
  const directories = {
    astetcdir: at('etc'),
    astmoddir: site.modules,
    astvarlibdir: at('varlib'),
    astdbdir: at('db'),
    astkeydir: at('keys'),
    astdatadir: at('data'),
    astagidir: at('agi'),
    astspooldir: at('spool'),
    astrundir: at('run'),
    astlogdir: at('log'),
    astsbindir: at('run'),
  }
  return [
    '[directories]',
    ...Object.entries(directories).map(([key, path]) => `${key} => ${confValue(path)}`),
    '',
    section('options', [
      // In front of every unique id, which so never collides between PBXs.
      ['systemname', systemName],
      ['documentation_language', 'en_US'],
      ['hideconnect', 'yes'],
      ['nocolor', 'yes'],
      ['live_dangerously', 'no'],
    ]),
  ].join('\n')
}

/** What the call logic reads, and no more: a busy CEL backend can cost calls (events = ALL made it 3000 rows late). */
export const celConf = (): string =>
  [
    section('general', [
      ['enable', 'yes'],
      ['apps', 'dial,queue,voicemail,pickup'],
      [
        'events',
        'CHAN_START,CHAN_END,ANSWER,HANGUP,BRIDGE_ENTER,BRIDGE_EXIT,APP_START,APP_END,PICKUP,FORWARD,BLINDTRANSFER,ATTENDEDTRANSFER,LINKEDID_END,USER_DEFINED,LOCAL_OPTIMIZE',
      ],
      // No dateformat: epoch seconds with microseconds, in UTC, which order the rows.
    ]),
    section('manager', [
      ['enabled', 'yes'],
      ['show_user_defined', 'yes'],
    ]),
  ].join('\n')

/** The columns and their order are a contract: recorded calls, `offhook derive` and a live PBX speak one format. */
export const celCustomConf = (): string =>
  [
    '[mappings]',
    '',
    section('cel.csv', [
      // Not json: it does not escape backslashes, so a caller's display name could break the record.
      ['format', 'dsv'],
      [
        'fields',
        'EventType,EventEnum,EventTime,UserDefType,Name,Num,ANI,RDNIS,DNID,Exten,Context,ChanName,AppName,AppData,AMAFlags,AccountCode,UniqueID,LinkedID,Peer,PeerAccount,UserField,EventExtra,TenantID',
      ],
    ]),
  ].join('\n')

/** Off: nobody reads call detail records (one row per pair of legs, whole seconds), and the file would only grow. */
export const cdrConf = (): string => section('general', [['enable', 'no']])

/**
 * One account, for Offhook: it hears the doorbell and the boot, may ask for channels, reload, and place calls.
 * It may not run commands of the console, change files or variables.
 */
export const managerConf = (site: PbxSite): string =>
  [
    section('general', [
      ['enabled', 'yes'],
      ['webenabled', 'no'],
      ['port', site.ami.port],
      ['bindaddr', '127.0.0.1'],
      ['displayconnects', 'no'],
      ['authtimeout', 10],
    ]),
    section(amiUsername, [
      ['secret', site.ami.secret],
      ['deny', '0.0.0.0/0.0.0.0'],
      ['permit', '127.0.0.1/255.255.255.255'],
      ['read', 'system,call'],
      ['write', 'system,reporting,originate'],
      // A reader that stalls for the default of 100 ms is cut off in the middle of a frame.
      ['writetimeout', 5000],
    ]),
    // Without filters a simple call is 172 frames, 105 KB; with these it is the rows of its record.
    ...['CEL', 'FullyBooted', 'OriginateResponse'].map(
      (name) => `eventfilter(action(include),name(${name})) =`,
    ),
    '',
  ].join('\n')

export const rtpConf = (site: PbxSite): string =>
  section('general', [
    ['rtpstart', site.rtp.first],
    ['rtpend', site.rtp.last],
  ])

/** queue_log is the second durable record: who waited how long is nowhere else. */
export const loggerConf = (): string =>
  [
    section('general', [
      ['dateformat', '%F %T.%3q'],
      ['queue_log', 'yes'],
      ['queue_log_to_file', 'yes'],
    ]),
    '[logfiles]\nmessages => notice,warning,error\n',
  ].join('\n')

export const musicOnHoldConf = (site: PbxSite): string =>
  section('default', [
    ['mode', 'files'],
    ['directory', `${site.folder}/moh`],
  ])

export const indicationsConf = (): string =>
  [
    section('general', [['country', 'us']]),
    section('us', [
      ['description', 'United States'],
      ['ringcadence', '2000,4000'],
      ['dial', '350+440'],
      ['busy', '480+620/500,0/500'],
      ['ring', '440+480/2000,0/4000'],
      ['congestion', '480+620/250,0/250'],
    ]),
  ].join('\n')

export const httpConf = (): string => section('general', [['enabled', 'no']])

/** Modules complain at boot where these are absent. */
export const emptyFiles = [
  'acl.conf',
  'ccss.conf',
  'pjproject.conf',
  'queuerules.conf',
  'stasis.conf',
  'udptl.conf',
]
