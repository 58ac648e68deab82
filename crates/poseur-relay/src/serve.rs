//! All pipelines of a configuration, from their start to their end.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use poseur_setup::Sources;
use poseur_setup::ready::{Notice, Ready, ready};
use poseur_setup::watch::Watch;
use poseur_tagger::TagOptions;
use tokio::net::TcpListener;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{error, info, warn};

use crate::config::{self, Config, secrets};
use crate::pipeline::{Pipeline, Retry, Room};
use crate::sink::Sink;
use crate::sink::forward as forward_sink;
use crate::source::forward as forward_source;
use crate::source::listen::Stop;
use crate::stage::Stage;

/// Files are looked at this often.
const LOOKS: Duration = Duration::from_secs(1);

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct StartError(pub Vec<String>);

/// Pipelines at work.
#[derive(Debug)]
pub struct Relay {
    stop: Stop,
    sources: JoinSet<()>,
    /// What keeps rules as their files are; they end with `stop`.
    watchers: JoinSet<()>,
    /// Where each pipeline listens, by name.
    pub listening: Vec<(String, std::net::SocketAddr)>,
}

/// A pipeline that is ready but for its listener.
struct Prepared {
    name: String,
    sources: Sources,
    options: TagOptions,
    watch: Watch,
    pipeline: Arc<Pipeline>,
    listen: std::net::SocketAddr,
    source: forward_source::Settings,
}

impl Relay {
    /// Starts all pipelines, or none of them.
    ///
    /// # Errors
    /// With everything that is wrong with rules, exceptions and secrets, or with the first address that cannot be
    /// listened on.
    pub async fn start(config: &Config) -> Result<Relay, StartError> {
        let mut prepared = Vec::new();
        let mut wrong = Vec::new();
        for (name, pipeline) in &config.pipelines {
            match prepare(name, pipeline) {
                Ok(one) => prepared.push(one),
                Err(errors) => wrong.extend(errors.iter().map(|error| format!("{name}: {error}"))),
            }
        }
        let mut listeners = Vec::new();
        for one in &prepared {
            match TcpListener::bind(one.listen).await {
                Ok(listener) => listeners.push(listener),
                Err(error) => {
                    let (name, listen) = (&one.name, one.listen);
                    wrong.push(format!("{name}: cannot listen on {listen}: {error}"));
                }
            }
        }
        if !wrong.is_empty() {
            return Err(StartError(wrong));
        }
        let mut relay = Relay {
            stop: Stop::default(),
            sources: JoinSet::new(),
            watchers: JoinSet::new(),
            listening: Vec::new(),
        };
        for (one, listener) in prepared.into_iter().zip(listeners) {
            relay.begin(one, listener);
        }
        Ok(relay)
    }

    fn begin(&mut self, prepared: Prepared, listener: TcpListener) {
        let Prepared {
            name,
            sources,
            options,
            watch,
            pipeline,
            listen,
            source,
        } = prepared;
        let listen = listener.local_addr().unwrap_or(listen);
        info!(pipeline = name, %listen, "listening");
        self.listening.push((name.clone(), listen));
        let keep = keep_up(name.clone(), sources, options, watch, pipeline.clone());
        let stop = self.stop.soon.clone();
        self.watchers.spawn(async move {
            stop.run_until_cancelled(keep).await;
        });
        let ended = move |peer, reason: forward_source::Ended| {
            warn!(pipeline = name, %peer, "connection ended: {reason}");
        };
        self.sources.spawn(forward_source::serve(
            listener,
            source,
            pipeline,
            self.stop.clone(),
            ended,
        ));
    }

    /// Takes nothing new, and waits so long for what is on its way. Returns whether all of it was delivered; what was
    /// not has no acknowledgement, and is still with its sender.
    pub async fn stop(mut self, limit: Duration) -> bool {
        self.stop.soon.cancel();
        let drained = timeout(limit, async {
            while self.sources.join_next().await.is_some() {}
        });
        let drained = drained.await.is_ok();
        self.stop.now.cancel();
        while self.sources.join_next().await.is_some() {}
        drained
    }
}

/// Everything that can be wrong before a connection is made.
fn prepare(name: &str, pipeline: &config::Pipeline) -> Result<Prepared, Vec<String>> {
    let mut wrong = Vec::new();
    let mut or_wrong = |secrets: Result<_, String>| secrets.map_err(|error| wrong.push(error)).ok();
    let config::Source::Forward(source) = &pipeline.source;
    let incoming = or_wrong(secrets(source.shared_key.as_ref(), &source.users));
    let config::Sink::Forward(sink) = &pipeline.sink;
    let user: Vec<config::User> = sink.user.iter().cloned().collect();
    let outgoing = or_wrong(secrets(sink.shared_key.as_ref(), &user));
    let sources = sources(pipeline);
    let ready = ready(&sources, Timestamp::now());
    let ready = ready.map_err(|errors| wrong.extend(errors.iter().map(ToString::to_string)));
    let (Some(incoming), Some(outgoing), Ok(ready)) = (incoming, outgoing, ready) else {
        return Err(wrong);
    };
    let Ready {
        matcher,
        watch,
        notices,
    } = ready;
    tell(name, notices);
    let options = TagOptions {
        style: pipeline.style.into(),
        key: pipeline.key.clone(),
    };
    let out: Box<dyn Sink> = Box::new(forward_sink::Forward::new(forward_sink::Settings {
        connect: sink.connect.clone(),
        secrets: outgoing,
        hostname: hostname(sink.hostname.as_ref()),
        connect_timeout: sink.connect_timeout.0,
        ack_timeout: sink.ack_timeout.0,
    }));
    let retry = Retry {
        first: pipeline.retry.first.0,
        longest: pipeline.retry.longest.0,
        limit: pipeline.retry.limit.0,
    };
    let stage = Stage::new(Arc::new(matcher), options.clone());
    Ok(Prepared {
        name: name.to_owned(),
        sources,
        options,
        watch,
        pipeline: Arc::new(Pipeline::new(stage, Room::new(pipeline.room.0), retry, out)),
        listen: source.listen,
        source: forward_source::Settings {
            secrets: incoming,
            hostname: hostname(source.hostname.as_ref()),
            largest: source.largest.0,
            connections: source.connections,
            idle: source.idle.0,
            patience: source.patience.0,
        },
    })
}

/// Where rules and exceptions are.
fn sources(pipeline: &config::Pipeline) -> Sources {
    let (built_in, rules) = pipeline
        .rules
        .iter()
        .cloned()
        .partition::<Vec<_>, _>(|path| path.as_os_str() == "builtin");
    Sources {
        rules,
        with_built_in: !built_in.is_empty(),
        exceptions: pipeline.exceptions.clone(),
        schema: pipeline.schema.clone(),
        ..Sources::default()
    }
}

/// The name in a handshake. Two sides must not have the same one, so each stage has one of its own.
fn hostname(given: Option<&String>) -> String {
    given.cloned().unwrap_or_else(|| {
        let name = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
        match name.trim() {
            "" => "poseur".to_owned(),
            name => format!("poseur.{name}"),
        }
    })
}

fn tell(pipeline: &str, notices: Vec<Notice>) {
    for notice in notices {
        match notice {
            Notice::Info(text) => info!(pipeline, "{text}"),
            Notice::Warning(text) => warn!(pipeline, "{text}"),
            Notice::Error(text) => error!(pipeline, "{text}"),
        }
    }
}

/// Reads rules and exceptions again whenever their files change. What is wrong with them leaves everything as it is.
async fn keep_up(
    name: String,
    sources: Sources,
    options: TagOptions,
    mut watch: Watch,
    pipeline: Arc<Pipeline>,
) {
    let mut looks = interval(LOOKS);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let sources = sources.clone();
        // Files are read, and rules compiled, beside the threads that serve connections.
        let look = spawn_blocking(move || {
            let changed = watch.has_changed();
            let fresh = changed.then(|| ready(&sources, Timestamp::now()));
            (watch, fresh)
        });
        let Ok((old, fresh)) = look.await else { return };
        watch = old;
        match fresh {
            None => {}
            Some(Ok(Ready {
                matcher,
                watch: new,
                notices,
            })) => {
                pipeline.stage.replace(Arc::new(matcher), options.clone());
                watch = new;
                info!(
                    pipeline = name,
                    "rules and exceptions have changed and were read again"
                );
                tell(&name, notices);
            }
            Some(Err(errors)) => {
                for error in errors {
                    error!(pipeline = name, "{error}");
                }
                error!(
                    pipeline = name,
                    "the changed rules or exceptions are not used: the old ones stay in force"
                );
            }
        }
    }
}
