import { Domain } from "dmabuf";

using domain = Domain.create({
  validate: {
    onReport: (report) => console.log(report.code, report.url),
    silence: [{ name: "lock-order", about: 'buffer "scratch"', reason: "both are under the lock of the frame" }],
  },
});
console.log(domain.reports.length); // 0
