import type { MetricFamily, MetricSource } from "../monitoring/index.ts";
import type { Contexts } from "./contexts.ts";

/** What the contexts count, as metric families; fields are read at each scrape. */
export function nodeMetrics({ blocks, mempool, loop, index }: Contexts): MetricSource {
  return {
    collect: () => {
      const { counters, gauges } = mempool.stats();
      const { epoch, view } = loop.status();
      const rejected = Object.entries(counters.rejected).map(([code, value]) => ({ labels: { code }, value }));
      const families: MetricFamily[] = [
        gauge("bizra_chain_height", "Height of the last final block.", blocks.queries.tipHeight),
        gauge("bizra_consensus_epoch", "Epoch of agreement.", epoch),
        gauge("bizra_consensus_view", "View of agreement within the epoch.", view),
        gauge("bizra_index_runs", "Runs of the hash index that a miss has to ask.", index.runCount),
        gauge("bizra_mempool_transactions", "Transactions accepted and not ended.", gauges.pendingCount),
        gauge("bizra_mempool_size_bytes", "Bytes of transactions accepted and not ended.", gauges.pendingSizeBytes),
        gauge("bizra_mempool_intake_transactions", "Transactions submitted and not judged yet.", gauges.intakeCount),
        gauge("bizra_mempool_batches", "Batches that are not committed.", gauges.pendingBatchCount),
        gauge("bizra_mempool_log_size_bytes", "Bytes of the batch log.", gauges.logSizeBytes),
        gauge("bizra_mempool_sync_seconds", "Average time of a sync of the batch log.", gauges.syncMs / 1000),
        counter("bizra_mempool_submitted_total", "Transactions submitted.", counters.submitted),
        counter("bizra_mempool_accepted_total", "Transactions accepted: durable here.", counters.accepted),
        { name: "bizra_mempool_rejected_total", help: "Transactions refused, by code.", kind: "counter", samples: rejected },
        counter("bizra_mempool_verified_total", "Signatures verified at admission.", counters.verified),
        counter("bizra_mempool_executed_total", "Accepted transactions that became final.", counters.executed),
        counter("bizra_mempool_expired_total", "Accepted transactions that expired.", counters.expired),
        counter("bizra_mempool_superseded_total", "Accepted transactions that another of their sender replaced.", counters.superseded),
        counter("bizra_mempool_batches_total", "Batches sealed.", counters.batches),
        counter("bizra_mempool_batched_bytes_total", "Bytes of transactions in sealed batches.", counters.batchedSizeBytes),
        counter("bizra_mempool_syncs_total", "Syncs of the batch log.", counters.syncs),
      ];
      return families.filter((family) => family.samples.length > 0);
    },
  };
}

function gauge(name: string, help: string, value: number): MetricFamily {
  return { name, help, kind: "gauge", samples: [{ value }] };
}

function counter(name: string, help: string, value: number): MetricFamily {
  return { name, help, kind: "counter", samples: [{ value }] };
}
