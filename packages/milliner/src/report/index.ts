export { renderReport } from "./page.ts";
export { readRun } from "./read-run.ts";
export type {
  ReportEpoch,
  ReportEvent,
  ReportFigures,
  ReportInput,
  ReportModel,
  ReportResult,
} from "./report-input.ts";
export { writeReport } from "./write-report.ts";
