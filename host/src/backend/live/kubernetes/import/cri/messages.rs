//! What containerd is asked and answers: of the published protocols no more than is used, since nothing here could generate
//! the rest. Fields that are not named are passed over in answers.

use std::collections::BTreeMap;

/// The answer that says no more than that it was done: `google.protobuf.Empty`, and answers that nobody reads.
pub type Done = ();

/// `runtime.v1.VersionRequest` of Kubernetes (`cri-api`, `pkg/apis/runtime/v1/api.proto`); its field is not needed.
#[derive(Clone, PartialEq, prost::Message)]
pub struct VersionRequest {}

/// `runtime.v1.PullImageRequest` (`api.proto`).
#[derive(Clone, PartialEq, prost::Message)]
pub struct PullImageRequest {
    /// Which one.
    #[prost(message, optional, tag = "1")]
    pub image: Option<ImageSpec>,
}

/// `runtime.v1.ImageSpec` (`api.proto`).
#[derive(Clone, PartialEq, prost::Message)]
pub struct ImageSpec {
    /// By which name it is pulled.
    #[prost(string, tag = "1")]
    pub image: String,
}

/// `containerd.services.images.v1.Image` (containerd, `api/services/images/v1/images.proto`): a name and what it means.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Image {
    /// The name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Of the name, not of the image.
    #[prost(btree_map = "string, string", tag = "2")]
    pub labels: BTreeMap<String, String>,
    /// What it means.
    #[prost(message, optional, tag = "3")]
    pub target: Option<Descriptor>,
}

/// `containerd.types.Descriptor` (containerd, `api/types/descriptor.proto`).
#[derive(Clone, PartialEq, prost::Message)]
pub struct Descriptor {
    /// Of which kind.
    #[prost(string, tag = "1")]
    pub media_type: String,
    /// The digest.
    #[prost(string, tag = "2")]
    pub digest: String,
    /// In bytes.
    #[prost(int64, tag = "3")]
    pub size: i64,
    /// Of the publisher.
    #[prost(btree_map = "string, string", tag = "5")]
    pub annotations: BTreeMap<String, String>,
}

/// `GetImageRequest` (`images.proto`).
#[derive(Clone, PartialEq, prost::Message)]
pub struct GetImageRequest {
    /// The name.
    #[prost(string, tag = "1")]
    pub name: String,
}

/// `GetImageResponse` and `CreateImageRequest` (`images.proto`), which are the same.
#[derive(Clone, PartialEq, prost::Message)]
pub struct OneImage {
    /// The one.
    #[prost(message, optional, tag = "1")]
    pub image: Option<Image>,
}

/// `ListImagesRequest` (`images.proto`).
#[derive(Clone, PartialEq, prost::Message)]
pub struct ListImagesRequest {
    /// What fits one of them is listed.
    #[prost(string, repeated, tag = "1")]
    pub filters: Vec<String>,
}

/// `ListImagesResponse` (`images.proto`).
#[derive(Clone, PartialEq, prost::Message)]
pub struct ListImagesResponse {
    /// All that fit.
    #[prost(message, repeated, tag = "1")]
    pub images: Vec<Image>,
}

/// `DeleteImageRequest` (`images.proto`).
#[derive(Clone, PartialEq, prost::Message)]
pub struct DeleteImageRequest {
    /// The name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Whether what nothing needs any more is gone with the answer.
    #[prost(bool, tag = "2")]
    pub sync: bool,
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[test]
    fn an_image_is_written_with_the_numbers_that_were_published() {
        let target = Descriptor {
            media_type: "m".to_owned(),
            digest: "d".to_owned(),
            size: 7,
            annotations: [("a".to_owned(), "b".to_owned())].into(),
        };
        let image = Image {
            name: "n".to_owned(),
            labels: [("l".to_owned(), "v".to_owned())].into(),
            target: Some(target),
        };
        // Each field begins with eight times its number, and two where a length follows.
        let descriptor = b"\x0a\x01m\x12\x01d\x18\x07\x2a\x06\x0a\x01a\x12\x01b";
        let mut written = b"\x0a\x01n\x12\x06\x0a\x01l\x12\x01v\x1a\x10".to_vec();
        written.extend(descriptor);
        assert_eq!(image.encode_to_vec(), written);
        // When it was made, field 7, is not asked for.
        written.extend(b"\x3a\x02\x08\x01");
        assert_eq!(Image::decode(written.as_slice()), Ok(image));
    }
}
