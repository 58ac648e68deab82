//! What a pipeline is made of, ready but for its listener.

use std::sync::Arc;

use jiff::Timestamp;
use poseur_matcher::Matcher;
use poseur_setup::ready::{Notice, Ready, ready};
use poseur_setup::watch::Watch;
use poseur_tagger::TagOptions;

use super::StartError;
use crate::config::values::Secret;
use crate::config::{self, Config};
use crate::net::tls;
use crate::pipeline::Out;
use crate::sink;
use crate::source::{self, Entrance};

/// While this is the same, connections need not be closed when the rest changes.
#[derive(Debug, PartialEq)]
pub(super) struct Identity {
    pub(super) source: source::Config,
    pub(super) secrets: Vec<Vec<u8>>,
    pub(super) room: usize,
    /// Of a source that delivers by itself, in transactions.
    pub(super) sink: Option<sink::Config>,
}

/// A pipeline that is ready but for its listener.
pub(super) struct Prepared {
    pub(super) name: String,
    pub(super) matcher: Arc<Matcher>,
    pub(super) options: TagOptions,
    pub(super) log_matches: bool,
    /// The sink, for people.
    pub(super) sink: String,
    pub(super) out: Out,
    pub(super) source: source::Kind,
    pub(super) identity: Identity,
    pub(super) entrance: Entrance,
    pub(super) tls: Option<tls::Acceptor>,
    pub(super) watches: [Watch; 2],
    pub(super) notices: Vec<Notice>,
}

/// Prepares all pipelines of a configuration.
///
/// # Errors
/// With everything that is wrong, each with its pipeline's name.
pub(super) fn prepare_all(config: &Config) -> Result<Vec<Prepared>, StartError> {
    let (mut prepared, mut wrong) = (Vec::new(), Vec::new());
    for (name, pipeline) in &config.pipelines {
        match prepare(name, pipeline) {
            Ok(one) => prepared.push(one),
            Err(errors) => wrong.extend(errors.iter().map(|error| format!("{name}: {error}"))),
        }
    }
    match wrong.is_empty() {
        true => Ok(prepared),
        false => Err(StartError(wrong)),
    }
}

/// Everything that can be wrong before a connection is made.
fn prepare(name: &str, pipeline: &config::Pipeline) -> Result<Prepared, Vec<String>> {
    let mut wrong = Vec::new();
    let entrance = pipeline.source.entrance();
    // Before they are read: what is written meanwhile is seen at the next look.
    let files = Watch::new(pipeline.files());
    let own_sink = match (&pipeline.source, &pipeline.sink) {
        (source::Config::Kafka(_), sink @ sink::Config::Kafka(_)) => Some(sink),
        _ => None,
    };
    let secrets = pipeline.source.secrets().into_iter();
    let secrets = secrets.chain(own_sink.into_iter().flat_map(sink::Config::secrets));
    let secrets = secrets.filter_map(|secret| Secret::read(secret).ok());
    let identity = Identity {
        source: pipeline.source.clone(),
        secrets: secrets.collect(),
        room: pipeline.room(),
        sink: own_sink.cloned(),
    };
    let source = pipeline.source.source(name, pipeline);
    let source = source.map_err(|error| wrong.push(error)).ok();
    let tls = entrance.tls.as_ref();
    let tls = tls.map(|tls| tls::Acceptor::new(tls, entrance.protocols));
    let tls = tls.transpose().map_err(|error| wrong.push(error)).ok();
    let sink = pipeline.sink.sink().map_err(|error| wrong.push(error)).ok();
    let ready = ready(&pipeline.sources(), Timestamp::now());
    let ready = ready.map_err(|errors| wrong.extend(errors.iter().map(ToString::to_string)));
    let (Some(source), Some(tls), Some(sink), Ok(ready)) = (source, tls, sink, ready) else {
        // A source that delivers by itself has met the same as the sink.
        wrong.dedup();
        return Err(wrong);
    };
    let Ready {
        matcher,
        watch,
        notices,
    } = ready;
    Ok(Prepared {
        name: name.to_owned(),
        matcher: Arc::new(matcher),
        options: pipeline.options(),
        log_matches: pipeline.log_matches,
        sink: pipeline.sink.to_string(),
        out: Out {
            sink,
            retry: pipeline.retry(),
        },
        source,
        identity,
        entrance,
        tls,
        watches: [files, watch],
        notices,
    })
}
