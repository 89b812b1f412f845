import type { Settings } from "../settings/settings.ts";
import { splitMnist } from "./split-mnist.ts";

/** Fashion-MNIST in 5 tasks of 2 kinds of clothes; everything else as for MNIST. */
export const splitFashionMnist: Settings = { ...splitMnist, dataset: "fashion-mnist" };
