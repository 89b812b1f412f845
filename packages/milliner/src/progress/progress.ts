import type { RunEvent } from "@milliner/continual";
import type { DownloadProgress } from "@milliner/data";
import type { TrainStart } from "../train.ts";

/** Shows how far a run is. Reads events; decides nothing. */
export interface Progress {
  start(start: TrainStart): void;
  event(event: RunEvent): void;
  download(progress: DownloadProgress): void;
  warning(message: string): void;
  /** Leaves the cursor at the start of a line. */
  end(): void;
}
