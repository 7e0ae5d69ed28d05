//! What any process of Fallow needs: settings, time, identity, the wire's manners, limits, telemetry, a good end.

pub mod clock;
pub mod config;
pub mod identity;
pub mod limits;
pub mod rights;
pub mod serve;
pub mod shutdown;
pub mod tasks;
pub mod telemetry;
pub mod wire;
pub mod working_time;
