/// <reference lib="esnext.disposable" preserve="true" />
/**
 * `dmabuf/opentelemetry`: what a program does with its domains, as spans and metrics of OpenTelemetry. It needs the package
 * `@opentelemetry/api`, and Node.js.
 */
export { instrument, type InstrumentOptions, type Instrumentation } from "./instrument.js";
