export { type Addon, addonAbi } from "./addon.ts";
export { loadAddon, type LoadedAddon } from "./load-addon.ts";
