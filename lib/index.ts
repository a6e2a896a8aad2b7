/** varve: a durable, tamper-evident, append-only log. */
export { VarveError, type VarveErrorCode, type VarveErrorDetails } from './errors.js'
export { inspect, open, openMemory, verify } from './open.js'
export type {
  Distribution,
  LeftOut,
  LogInfo,
  Problem,
  Recovery,
  RecoveryPlan,
  RecoveryPlanOptions,
  SalvageOptions,
  SalvageReport,
  SalvageRun,
  SegmentInfo,
  Stats,
  VerifyOptions,
  VerifyReport,
} from './reports.js'
export { planRecovery, salvage } from './salvage.js'
export type {
  AppendAllOptions,
  AppendOptions,
  AppendProgress,
  Chunk,
  DiagnosticsMessages,
  Encoding,
  Head,
  Log,
  LogRecord,
  OpenOptions,
  Reader,
  ReadOptions,
  Receipt,
  SchemaInput,
  SchemaOutput,
  Secret,
  StandardSchema,
  TailOptions,
} from './types.js'
