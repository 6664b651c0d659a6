import type { VerifyThreadsHealth } from "../crypto/index.ts";
import type { DisseminationStats } from "../mempool/index.ts";
import type { MetricFamily, MetricSource } from "../monitoring/index.ts";
import type { Contexts } from "./contexts.ts";
import { verifyThreadsHealth } from "./platform.ts";

/** What the contexts count, as metric families; fields are read at each scrape. */
export function nodeMetrics({ blocks, mempool, dissemination, loop, index, pruning }: Contexts): MetricSource {
  return {
    collect: () => {
      const { counters, gauges } = mempool.stats();
      const { epoch, view } = loop.status();
      const rejected = Object.entries(counters.rejected).map(([code, value]) => ({ labels: { code }, value }));
      const refused = Object.entries(counters.refusedBatches).map(([code, value]) => ({ labels: { code }, value }));
      const families: MetricFamily[] = [
        gauge("bizra_chain_height", "Height of the last final block.", blocks.queries.tipHeight),
        gauge("bizra_chain_lowest_height", "Lowest block that is here.", blocks.queries.lowestHeight),
        counter("bizra_pruning_blocks_total", "Blocks let go of.", pruning.counters.blocks),
        counter("bizra_pruning_steps_total", "Steps in which they went.", pruning.counters.steps),
        counter("bizra_pruning_segments_total", "Segments of the batch log let go of.", pruning.counters.segments),
        gauge("bizra_pruning_step_seconds_max", "Longest step since the start.", pruning.counters.stepMsMax / 1000),
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
        gauge(
          "bizra_mempool_foreign_transactions",
          "Of the transactions not ended, those of other validators' batches.",
          gauges.foreignCount,
        ),
        counter("bizra_mempool_foreign_batches_total", "Batches of other validators made durable here.", counters.foreignBatches),
        counter("bizra_mempool_foreign_bytes_total", "Bytes of these batches.", counters.foreignSizeBytes),
        { name: "bizra_mempool_refused_batches_total", help: "Batches of peers not taken, by reason.", kind: "counter", samples: refused },
        ...disseminationMetrics(dissemination.stats()),
        ...verifyThreadMetrics(verifyThreadsHealth()),
      ];
      return families.filter((family) => family.samples.length > 0);
    },
  };
}

function disseminationMetrics({ counters, gauges }: DisseminationStats): MetricFamily[] {
  return [
    gauge("bizra_dissemination_peers", "Connected peers.", gauges.peers),
    gauge("bizra_dissemination_wanted", "Announced or needed batches that are not here.", gauges.wanted),
    gauge("bizra_dissemination_pulls", "Batches being pulled.", gauges.pulls),
    counter("bizra_dissemination_announced_total", "Digests announced, to each peer counted.", counters.announced),
    counter("bizra_dissemination_pulled_total", "Batches pulled.", counters.pulled),
    counter("bizra_dissemination_pulled_bytes_total", "Bytes of batches pulled.", counters.pulledSizeBytes),
    counter("bizra_dissemination_answered_total", "Batches sent to peers.", counters.answered),
    counter("bizra_dissemination_answered_bytes_total", "Bytes of batches sent to peers.", counters.answeredSizeBytes),
    counter("bizra_dissemination_timeouts_total", "Pulls that were not answered in time.", counters.timeouts),
    counter("bizra_dissemination_duplicates_total", "Batches that came although they were here or on their way.", counters.duplicates),
    counter("bizra_dissemination_flooded_total", "Messages dropped because a peer sent too many.", counters.flooded),
  ];
}

function verifyThreadMetrics({ running, failed }: VerifyThreadsHealth): MetricFamily[] {
  const samples = Object.entries(failed).map(([fault, value]) => ({ labels: { fault }, value }));
  return [
    gauge("bizra_verify_threads", "Threads that verify signatures; none before the first large round, or when all were given up.", running),
    { name: "bizra_verify_threads_failed_total", help: "Threads given up and replaced, by fault.", kind: "counter", samples },
  ];
}

function gauge(name: string, help: string, value: number): MetricFamily {
  return { name, help, kind: "gauge", samples: [{ value }] };
}

function counter(name: string, help: string, value: number): MetricFamily {
  return { name, help, kind: "counter", samples: [{ value }] };
}
