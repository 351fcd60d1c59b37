//! What one run may use at most, and the meter that holds it to that.

use std::time::Duration;

use wasmtime::ResourceLimiter;

const MIB: u64 = 1 << 20;

/// What one run may use at most. Every limit has a default; none can be left out.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How long the run may take, from the start of its instance: computing, sleeping and waiting alike.
    /// Default: 300 s.
    pub hard_timeout: Duration,
    /// Linear memory in bytes, in sum over all memories. The settings' `max_memory_bytes` bounds each
    /// memory as well. Default: 128 MiB.
    pub memory_bytes: u64,
    /// Table elements, in sum over all tables. Default: 40,000.
    pub table_elements: u64,
    /// Core instances inside the component. Default: 120.
    pub instances: u32,
    /// Linear memories. Default: 3.
    pub memories: u32,
    /// Bytes that one call of a host function may pass to the host. Default: 16 MiB.
    pub hostcall_bytes: u64,
    /// Handles of resources, such as open files and streams, that live at the same time. Default: 10,000.
    pub handles: u32,
    /// Bytes of stdout, stderr and log messages together; what exceeds them is dropped. Default: 1 MiB.
    pub output_bytes: u64,
    /// Bytes of one result. Default: 1 MiB.
    pub result_bytes: u64,
    /// Follow-ups. Default: 1,000.
    pub follow_ups: u32,
    /// Bytes of all follow-ups and saved results together. Default: 16 MiB.
    pub effect_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            hard_timeout: Duration::from_secs(300),
            memory_bytes: 128 * MIB,
            table_elements: 40_000,
            instances: 120,
            memories: 3,
            hostcall_bytes: 16 * MIB,
            handles: 10_000,
            output_bytes: MIB,
            result_bytes: MIB,
            follow_ups: 1_000,
            effect_bytes: 16 * MIB,
        }
    }
}

/// Sums up what the instances of one run allocate and refuses what goes beyond the limits. A refusal looks
/// to the guest like a machine without memory; it is remembered, since a guest that then gives up only
/// says that it has trapped.
pub(crate) struct Meter {
    memory: Sum,
    table: Sum,
    instances: usize,
    memories: usize,
}

struct Sum {
    limit: usize,
    now: usize,
    peak: usize,
    growing: usize,
    denied: bool,
}

impl Meter {
    pub(crate) fn new(limits: &Limits) -> Meter {
        Meter {
            memory: Sum::up_to(limits.memory_bytes),
            table: Sum::up_to(limits.table_elements),
            instances: limits.instances as usize,
            memories: limits.memories as usize,
        }
    }

    pub(crate) fn peak_memory_bytes(&self) -> u64 {
        self.memory.peak as u64
    }

    pub(crate) fn memory_denied(&self) -> bool {
        self.memory.denied
    }

    pub(crate) fn table_denied(&self) -> bool {
        self.table.denied
    }
}

impl Sum {
    fn up_to(limit: u64) -> Sum {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Sum { limit, now: 0, peak: 0, growing: 0, denied: false }
    }

    fn grow(&mut self, current: usize, desired: usize) -> bool {
        self.growing = desired.saturating_sub(current);
        let wanted = self.now.saturating_add(self.growing);
        if wanted > self.limit {
            self.denied = true;
            return false;
        }
        self.now = wanted;
        self.peak = self.peak.max(wanted);
        true
    }

    /// The growth that was just allowed could not be had.
    fn take_back(&mut self) {
        self.now -= self.growing;
        self.growing = 0;
        self.denied = true;
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.memory.grow(current, desired))
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory.take_back();
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.table.grow(current, desired))
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.table.take_back();
        Ok(())
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn memories(&self) -> usize {
        self.memories
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_summed_over_all_memories() {
        let mut meter = Meter::new(&Limits { memory_bytes: 10, ..Limits::default() });
        assert!(meter.memory.grow(0, 6));
        assert!(meter.memory.grow(0, 4));
        assert!(!meter.memory.grow(4, 5));
        assert!(meter.memory_denied());
        assert_eq!(meter.peak_memory_bytes(), 10);
    }

    #[test]
    fn a_growth_that_failed_is_not_counted() {
        let mut meter = Meter::new(&Limits { memory_bytes: 10, ..Limits::default() });
        assert!(meter.memory.grow(0, 8));
        meter.memory.take_back();
        assert!(meter.memory.grow(0, 10));
    }
}
