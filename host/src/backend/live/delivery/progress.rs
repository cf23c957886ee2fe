//! How far a pull is, out of what the engine says of each layer.

use std::collections::BTreeMap;

use bollard::models::CreateImageInfo;

use crate::progress::Watcher;

/// Bytes of one layer.
#[derive(Default)]
struct Layer {
    done: u64,
    total: u64,
}

/// The sum over all layers. What is told only grows.
pub struct Progress {
    layers: BTreeMap<String, Layer>,
    /// Compressed size of the whole image; 0 where the registry did not say.
    size: u64,
    told: (u64, u64),
}

impl Progress {
    /// Of an image of `size` bytes.
    pub fn new(size: u64) -> Self {
        Self { layers: BTreeMap::new(), size, told: (0, 0) }
    }

    /// Takes one line of the engine in and tells the watcher if there is news.
    pub fn tell(&mut self, line: &CreateImageInfo, watcher: &dyn Watcher) {
        let (Some(id), Some(status)) = (&line.id, line.status.as_deref()) else { return };
        match status {
            "Downloading" => {
                let detail = line.progress_detail.as_ref();
                let bytes = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok());
                let layer = self.layers.entry(id.clone()).or_default();
                layer.done = layer.done.max(detail.and_then(|detail| bytes(detail.current)).unwrap_or(0));
                layer.total = layer.total.max(detail.and_then(|detail| bytes(detail.total)).unwrap_or(0));
            }
            "Download complete" | "Pull complete" => {
                if let Some(layer) = self.layers.get_mut(id) {
                    layer.done = layer.done.max(layer.total);
                }
            }
            "Extracting" => watcher.note("unpacking"),
            _ => return,
        }
        let done = self.layers.values().map(|layer| layer.done).sum();
        let total = self.layers.values().map(|layer| layer.total).sum::<u64>().max(self.size);
        self.advance(done, total, watcher);
    }

    /// Everything is there, also what the engine had before and never spoke of.
    pub fn finish(mut self, watcher: &dyn Watcher) {
        let total = self.told.1.max(self.size);
        self.advance(total, total, watcher);
    }

    fn advance(&mut self, done: u64, total: u64, watcher: &dyn Watcher) {
        // A layer without a known total counts by what arrived of it, so the sum may pass the total.
        let done = done.max(self.told.0);
        let news = (done, total.max(self.told.1).max(done));
        if news != self.told {
            self.told = news;
            watcher.bytes(news.0, news.1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bollard::models::ProgressDetail;

    use super::*;

    #[derive(Default)]
    struct Told(Mutex<Vec<(u64, u64)>>);

    impl Watcher for Told {
        fn bytes(&self, done: u64, total: u64) {
            self.0.lock().expect("one thread").push((done, total));
        }
        fn note(&self, _text: &str) {}
    }

    fn line(id: &str, status: &str, detail: Option<(i64, i64)>) -> CreateImageInfo {
        CreateImageInfo {
            id: Some(id.to_owned()),
            status: Some(status.to_owned()),
            progress_detail: detail
                .map(|(current, total)| ProgressDetail { current: Some(current), total: Some(total) }),
            ..CreateImageInfo::default()
        }
    }

    fn told(size: u64, lines: &[CreateImageInfo]) -> Vec<(u64, u64)> {
        let watcher = Told::default();
        let mut progress = Progress::new(size);
        for line in lines {
            progress.tell(line, &watcher);
        }
        progress.finish(&watcher);
        watcher.0.into_inner().expect("one thread")
    }

    #[test]
    fn layers_add_up_and_never_go_back() {
        let lines = [
            line("a", "Pulling fs layer", None),
            line("a", "Downloading", Some((10, 100))),
            line("b", "Downloading", Some((5, 50))),
            // A retry of the engine begins the layer again.
            line("a", "Downloading", Some((3, 100))),
            line("a", "Download complete", None),
            line("a", "Extracting", Some((1, 100))),
            line("b", "Pull complete", None),
            line("c", "Already exists", None),
        ];
        assert_eq!(told(180, &lines), [(10, 180), (15, 180), (105, 180), (150, 180), (180, 180)]);
    }

    #[test]
    fn without_a_known_size_the_total_grows_with_the_layers() {
        let lines = [line("a", "Downloading", Some((10, 100))), line("b", "Downloading", Some((50, 50)))];
        assert_eq!(told(0, &lines), [(10, 100), (60, 150), (150, 150)]);
    }

    #[test]
    fn nonsense_does_no_harm() {
        let lines = [
            line("a", "Downloading", Some((-1, -1))),
            line("a", "Downloading", Some((70, 0))),
            CreateImageInfo::default(),
        ];
        assert_eq!(told(50, &lines), [(0, 50), (70, 70)]);
        assert_eq!(told(0, &[]), []);
    }
}
