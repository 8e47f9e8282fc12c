//! The parts that requests can use. actix keeps each part separately, so that a handler gets only those that it names.

use std::sync::Arc;

use actix_web::web::{Data, ServiceConfig};
use state::exports::ExportStore;

use super::{App, Roles};
use crate::health::{Health, Leaving};
use crate::http::live::Live;
use crate::metrics::Figures;

/// Registers one part with the requests of a thread.
type Share = Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>;

impl App {
    /// Registers all parts with the requests of a thread.
    pub(super) fn parts(&self, health: &Health) -> impl Fn(&mut ServiceConfig) + Clone + Send + use<> {
        let parts: Arc<[Share]> = Arc::from([
            share(Data::from(self.settings.clone())),
            share(Data::new(health.clone())),
            share(Data::new(self.stores.clone())),
            share(Data::new(self.commands.clone())),
            share(Data::new(self.read_models.clone())),
            share(Data::new(self.audit_log.clone())),
            share(Data::new(self.changes.clone())),
            share(Data::new(self.hub.clone())),
            share(Data::new(self.live())),
            share(Data::new(self.progress.clone())),
            share(Data::new(self.caches.clone())),
            share(Data::new(self.search.clone())),
            share(Data::new(self.sessions.clone())),
            share(Data::new(self.sign_ins.clone())),
            share(Data::new(self.confirmations.clone())),
            share(Data::new(self.passwords.clone())),
            share(Data::new(self.credentials.clone())),
            share(Data::new(self.registrations())),
            share(Data::new(self.admissions())),
            share(Data::new(self.invitations.clone())),
            share(Data::new(self.limits.clone())),
            share(Data::new(self.presences.clone())),
            share(Data::new(self.typing.clone())),
            share(Data::new(self.tickets.clone())),
            share(Data::new(self.connections.clone())),
            share(Data::new(self.signals.clone())),
            share(Data::new(self.replays.clone())),
            share(Data::new(self.retention.clone())),
            share(Data::new(self.erasures())),
            share(Data::new(ExportStore::new(self.pool.clone()))),
            share(Data::new(self.proofs.clone())),
            share(Data::from(self.proof.clone())),
            share(Data::new(self.metrics.clone())),
            share(Data::new(self.figures(health))),
        ]);
        move |config| parts.iter().for_each(|share| share(config))
    }

    fn live(&self) -> Live {
        Live {
            hub: self.hub.clone(),
            frames: self.client_frames.clone(),
            read_models: self.read_models.clone(),
            progress: self.progress.clone(),
        }
    }

    fn figures(&self, health: &Health) -> Figures {
        Figures {
            metrics: self.metrics.clone(),
            settings: self.settings.clone(),
            health: health.clone(),
            commands: self.commands.clone(),
            pools: vec![("read", self.pool.clone()), ("write", self.write_pool.clone()), ("work", self.work_pool.clone())],
            read_models: self.read_models.clone(),
            retention: self.retention.clone(),
            exports: ExportStore::new(self.pool.clone()),
            proofs: self.proofs.clone(),
            proof: self.proof.clone(),
            heads: self.heads.clone(),
            caches: self.caches.clone(),
            signals: self.signals.clone(),
            hub: self.hub.clone(),
        }
    }

    /// The health of a process with these roles.
    pub(super) fn health(&self, roles: Roles, leaving: Leaving) -> Health {
        Health {
            roles,
            leaving,
            stores: self.stores.clone(),
            nats: self.nats.clone(),
            link: self.nats_link.clone(),
            log_id: self.changes.log_id(),
            relay: self.relay.clone(),
            proofs: self.proofs.clone(),
            proof: self.proof.clone(),
        }
    }
}

fn share<T: Send + Sync + 'static>(part: Data<T>) -> Share {
    Arc::new(move |config| {
        config.app_data(part.clone());
    })
}
