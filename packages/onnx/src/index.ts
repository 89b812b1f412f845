export { exportNetwork, type ExportOptions, type Normalisation } from "./export.ts";
export { parameterHash } from "./parameter-hash.ts";
export type { ImageLayout } from "./translate.ts";
