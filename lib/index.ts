/** varve: a durable, tamper-evident, append-only log. */
export { VarveError, type VarveErrorCode, type VarveErrorDetails } from './errors.js'
export { inspect, open, openMemory, verify } from './open.js'
export type {
  AppendAllOptions,
  AppendOptions,
  AppendProgress,
  Chunk,
  Encoding,
  Head,
  Log,
  LogInfo,
  LogRecord,
  OpenOptions,
  Problem,
  Reader,
  ReadOptions,
  Receipt,
  Recovery,
  SchemaInput,
  SchemaOutput,
  Secret,
  SegmentInfo,
  StandardSchema,
  Stats,
  TailOptions,
  VerifyOptions,
  VerifyReport,
} from './types.js'
